"""Which report of a membership counts: pure rules (spec 02, Membership authority)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from apps.core.enums import MembershipRole, Role
from apps.core.operations import TENANT_LADDER

# A reporter's clock may be this much ahead of ours, as with `occurred_at` (spec 05).
AHEAD_AT_MOST = timedelta(minutes=5)


class Verdict(Enum):
    """What becomes of a report about a membership that exists."""

    APPLY = "apply"
    CONFIRM = "confirm"
    STALE = "stale"


def judge(*, stored_role: MembershipRole, stored_at: datetime, role: MembershipRole, changed_at: datetime) -> Verdict:
    """Whether a report changes the stored membership.

    Older news changes nothing. Two different roles with the very same time would depend on the order of arrival; the
    lesser role wins then, so that every order ends alike and nobody is promoted by a race.
    """
    if changed_at < stored_at:
        return Verdict.STALE
    if role == stored_role:
        return Verdict.CONFIRM
    if changed_at == stored_at and not is_lesser(role, than=stored_role):
        return Verdict.STALE
    return Verdict.APPLY


def is_lesser(role: MembershipRole, *, than: MembershipRole) -> bool:
    """Whether `role` stands below `than` on the ladder owner > admin > member > viewer."""
    return TENANT_LADDER.index(Role(role)) > TENANT_LADDER.index(Role(than))
