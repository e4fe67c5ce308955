"""Impersonation: staff view one organization's pages as one of its members, read-only, for an hour (spec 08). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.tenants.enums import ImpersonationEnd

LASTS = timedelta(minutes=60)
# A page that reloads itself, such as that of a running sync, is one view a minute.
SAME_VIEW_FOR = timedelta(minutes=1)
# Everything else may change something, or is no page.
READING_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """The person whom staff want to look as, as stored now."""

    is_member: bool
    is_active: bool
    is_staff: bool
    is_oneself: bool = False


def refuse_chosen(chosen: Chosen) -> str:
    """Why staff can't look as this person; empty where they can."""
    if chosen.is_oneself:
        return "This is you: open the pages yourself."
    if not chosen.is_member:
        return "This person is no member of the organization any more."
    if chosen.is_staff:
        return "This is a staff account. Choose a member who is no colleague."
    return "" if chosen.is_active else "This person's account is deactivated: they see no pages either."


def end_of(*, staff_may: bool, chosen: Chosen, ends_at: datetime, now: datetime) -> ImpersonationEnd | None:
    """Why an impersonation that nobody has ended is over all the same; None while it lasts."""
    if not staff_may:
        return ImpersonationEnd.ROLE_LOST
    if now >= ends_at:
        return ImpersonationEnd.EXPIRED
    return ImpersonationEnd.MEMBER_GONE if refuse_chosen(chosen) else None
