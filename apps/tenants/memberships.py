"""Which report of a membership counts: pure rules (spec 02, Membership authority)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum

from apps.core.enums import MembershipRole, Role
from apps.core.operations import PLATFORM_LADDER, TENANT_LADDER

# A reporter's clock may be this much ahead of ours, as with `occurred_at` (spec 05).
AHEAD_AT_MOST = timedelta(minutes=5)
# What a member of each role may do, for pages of tenants and of staff.
ROLE_WORDS: Mapping[MembershipRole, str] = {
    MembershipRole.OWNER: "does everything an admin does, pays, and changes owners",
    MembershipRole.ADMIN: "changes connectors, syncs, members and settings",
    MembershipRole.MEMBER: "uses the products, and reads the billing pages",
    MembershipRole.VIEWER: "reads the billing pages",
}


class ReportOutcome(Enum):
    """What becomes of a report about a membership that exists."""

    APPLY = "apply"
    CONFIRM = "confirm"
    STALE = "stale"
    # Of an owner only the identity service and staff may speak: the report is kept as drift.
    NOT_THEIRS = "not_theirs"
    # As NOT_THEIRS, and the report says what is so.
    AGREED = "agreed"


def judge(
    *,
    stored_role: MembershipRole,
    stored_at: datetime,
    role: MembershipRole | None,
    changed_at: datetime,
    may_change_owners: bool = True,
) -> ReportOutcome:
    """Whether a report changes the stored membership; `role` None says that it ended.

    A report about an owner by anybody who may not change owners changes nothing, whatever it says and however new it
    is. Older news changes nothing either. Two different reports with the very same time would depend on the order of
    arrival; the lesser role wins then, and a removal over every role, so that every order ends alike and nobody is
    promoted by a race.
    """
    if stored_role == MembershipRole.OWNER and not may_change_owners:
        return ReportOutcome.AGREED if role == stored_role else ReportOutcome.NOT_THEIRS
    if changed_at < stored_at:
        return ReportOutcome.STALE
    if role == stored_role:
        return ReportOutcome.CONFIRM
    if role is not None and changed_at == stored_at and not is_lesser(role, than=stored_role):
        return ReportOutcome.STALE
    return ReportOutcome.APPLY


def is_outlived(*, changed_at: datetime, removed_at: datetime) -> bool:
    """Whether a remembered removal outlives a report that somebody is a member; at the same time the removal wins."""
    return changed_at <= removed_at


def is_lesser(role: MembershipRole, *, than: MembershipRole) -> bool:
    """Whether `role` stands below `than` on the ladder owner > admin > member > viewer."""
    return TENANT_LADDER.index(Role(role)) > TENANT_LADDER.index(Role(than))


class MemberRefusal(Enum):
    """Why somebody may not change a membership, though their role changes members."""

    ABOVE_YOU = "membership_above_you"
    HIGHER_THAN_YOURS = "role_above_yours"


def refuse_member_change(
    *, actor: Role, stored: MembershipRole | None, wanted: MembershipRole | None
) -> MemberRefusal | None:
    """Whether an admin or owner oversteps: nobody gives a role above their own, nor touches who stands above them.

    `stored` is None for who is no member yet, `wanted` for a removal. Staff stand outside of the ladder: they change
    owners too.
    """
    if actor in PLATFORM_LADDER:
        return None
    own = TENANT_LADDER.index(actor)
    if stored is not None and TENANT_LADDER.index(Role(stored)) < own:
        return MemberRefusal.ABOVE_YOU
    if wanted is not None and TENANT_LADDER.index(Role(wanted)) < own:
        return MemberRefusal.HIGHER_THAN_YOURS
    return None
