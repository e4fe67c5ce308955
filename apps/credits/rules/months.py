"""The month whose free quantity a run takes, and when a run may have happened. Pure (spec 05, Calls)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from apps.core.errors import FieldError, UnprocessableError

AHEAD_AT_MOST = timedelta(minutes=5)
# Later news than this are refused, or booked for review where they have happened already.
BACK_AT_MOST = timedelta(days=35)
# Older than this, nothing is booked by itself.
BACK_AT_ALL = timedelta(days=400)


def month_of(moment: datetime, zone: tzinfo) -> date:
    """The first day of the moment's month by the zone's clock."""
    return moment.astimezone(zone).date().replace(day=1)


def month_end(month: date, zone: tzinfo) -> datetime:
    """When the month ends: the beginning of the next one by the zone's clock."""
    return datetime.combine((month + timedelta(days=31)).replace(day=1), time(), zone)


def free_month_end(at: datetime, zone: tzinfo) -> datetime:
    """The moment, in UTC, at which the month of `at` ends in the zone and the next begins."""
    return month_end(month_of(at, zone), zone).astimezone(UTC)


def free_month(at: datetime, now: datetime, zone: tzinfo) -> tuple[date, bool]:
    """The month whose free quantity a run of the moment takes, and whether that is late.

    Its own month, or the current one where that ended more than 35 days ago. A zone that changes moves the months'
    next boundaries; a month is named by its first day, so that what was used of the current one stays used.
    """
    own = month_of(at, zone)
    is_late = month_end(own, zone) < now - BACK_AT_MOST
    return (month_of(now, zone), True) if is_late else (own, False)


def check_occurrence(occurred_at: datetime, now: datetime, *, is_booked: bool = False) -> None:
    """Raise `UnprocessableError` unless the run happened at most 5 minutes ahead and 35 days back.

    What `is_booked` whatever comes may lie 400 days back.
    """
    if occurred_at > now + AHEAD_AT_MOST:
        sentence = "occurred_at lies more than 5 minutes ahead. Check the clock, or send it later."
        raise UnprocessableError(sentence, errors=[FieldError("occurred_at", "in_the_future", sentence)])
    if occurred_at < now - (BACK_AT_ALL if is_booked else BACK_AT_MOST):
        days = (BACK_AT_ALL if is_booked else BACK_AT_MOST).days
        remedy = "Ask staff for an adjustment instead." if is_booked else "Send on_insufficient: record to book it."
        sentence = f"occurred_at lies more than {days} days back. {remedy}"
        raise UnprocessableError(
            sentence,
            code="too_old",
            title="The run happened too long ago",
            errors=[FieldError("occurred_at", "too_old", sentence)],
        )
