"""The secret of a link, how long it lives and what has become of it: pure rules (spec 02, How people sign in)."""

from __future__ import annotations

import hashlib
import re
import secrets
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
_SECRET = re.compile(r"chl_[A-Za-z0-9_-]{43}", re.ASCII)


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


def make_link_secret() -> str:
    """The secret part of a sign-in link's address, with 256 bits. Its tag is what the logs redact it by."""
    return f"chl_{secrets.token_urlsafe(32)}"


def is_link_secret(text: str) -> bool:
    """Whether the text has the form of a link's secret; anything else needs no look-up."""
    return _SECRET.fullmatch(text) is not None


def hash_link_secret(text: str) -> bytes:
    """The hash that is stored instead of the secret."""
    return hashlib.sha256(text.encode()).digest()
