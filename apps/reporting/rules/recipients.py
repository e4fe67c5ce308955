"""What a recipient of reports may be, and whom a mail goes to (spec 07, Daily report). Pure."""

from __future__ import annotations

from apps.core.enums import TextEnum

MOST_RECIPIENTS = 20


class RecipientStatus(TextEnum):
    """Mail goes to the active ones alone."""

    WAITING = "waiting", "Waiting for confirmation"
    ACTIVE = "active", "Gets reports"
    PAUSED = "paused", "Paused: the mail server refused"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"


def status_when_added(*, is_member: bool, former: RecipientStatus | None) -> RecipientStatus:
    """What an address becomes when an admin adds it.

    A member gets reports at once. Everybody else must follow the link of a mail first, and so must whoever has
    unsubscribed: that an admin adds them again is not their wish. A paused one had agreed before.
    """
    if former in {RecipientStatus.ACTIVE, RecipientStatus.PAUSED}:
        return RecipientStatus.ACTIVE
    if is_member and former is not RecipientStatus.UNSUBSCRIBED:
        return RecipientStatus.ACTIVE
    return RecipientStatus.WAITING
