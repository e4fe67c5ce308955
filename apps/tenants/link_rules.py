"""How long a link lives and what has become of it: pure rules (spec 02, How people sign in)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from apps.tenants.enums import LinkKind

LIFETIMES = {
    LinkKind.INVITATION: timedelta(days=7),
    LinkKind.PASSWORD_RESET: timedelta(minutes=30),
    LinkKind.SIGN_IN: timedelta(minutes=30),
    LinkKind.PORTAL: timedelta(minutes=5),
}
# How long a visit from a product lasts.
VISIT_LASTS = timedelta(hours=1)
# How long after a sign-in by link the password may be changed without the old one.
FRESH_FOR = timedelta(minutes=30)
REQUESTS_WINDOW = timedelta(hours=1)
MAILS_A_MAILBOX = 3
# What has ended is shown to staff for this long.
KEPT_FOR = timedelta(days=30)


class LinkState(Enum):
    """What a link is good for now; anything but OPEN is told on a page of its own."""

    OPEN = "open"
    UNKNOWN = "unknown"
    USED = "used"
    LATE = "late"
    REPLACED = "replaced"
    CLOSED = "closed"
    NOT_A_MEMBER = "not_a_member"
    NOT_FOR_YOU = "not_for_you"
    OF_ANOTHER_PERSON = "of_another_person"


def time_state(
    *, used_at: datetime | None, replaced_at: datetime | None, expires_at: datetime, now: datetime
) -> LinkState:
    """Whether the link is still to be used, as far as its own times tell."""
    if used_at is not None:
        return LinkState.USED
    if replaced_at is not None:
        return LinkState.REPLACED
    return LinkState.LATE if now >= expires_at else LinkState.OPEN
