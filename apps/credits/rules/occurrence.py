"""When a consumption may have happened: at most 5 minutes ahead, at most 35 days back (spec 05, Calls). Pure.

News of an earlier month than the current one (UTC) is booked in the current month and marked late.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apps.core.errors import FieldError, UnprocessableError

AHEAD_AT_MOST = timedelta(minutes=5)
BACK_AT_MOST = timedelta(days=35)


def check_occurrence(occurred_at: datetime, now: datetime) -> None:
    """Raise `UnprocessableError` for a moment outside the window."""
    if occurred_at > now + AHEAD_AT_MOST:
        _refuse("lies more than 5 minutes ahead. Check the clock, or send it later.", "in_the_future")
    if occurred_at < now - BACK_AT_MOST:
        _refuse("lies more than 35 days back. Ask staff for an adjustment instead.", "too_old")


def is_late(occurred_at: datetime, now: datetime) -> bool:
    """Whether it happened in a month before the current one."""
    then, today = occurred_at.astimezone(UTC), now.astimezone(UTC)
    return (then.year, then.month) < (today.year, today.month)


def _refuse(sentence: str, code: str) -> None:
    raise UnprocessableError(f"occurred_at {sentence}", errors=[FieldError("occurred_at", code, sentence)])
