"""When a scope's daily report is due, and which moments belong to it (spec 07, Daily report). Pure.

A day ends at the first moment of the days after it. Where clocks go back over midnight, the minutes of the next day
that were shown before belong to the older day, so that days follow one another without a gap and without overlapping.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from apps.reporting.rules.days import day_table
from apps.reporting.rules.document import Window

# A report is made an hour after its day, when what came in at the end of it has been rolled up.
DELAY = timedelta(hours=1)
_DAY = timedelta(days=1)
# No zone is further than this from UTC, with a day that clocks may skip.
_REACH = timedelta(days=2)


def start_of_day(zone: tzinfo, day: date) -> datetime:
    """The moment after the last one of an earlier day; that of the following day where the zone left this one out."""
    middle = datetime.combine(day, time(), UTC)
    table = day_table(zone, middle - _REACH, middle + _REACH)
    starts = [
        after for (_, before), (after, following) in pairwise(zip(table.starts, table.days, strict=True))
        if before < day <= following
    ]  # fmt: skip
    return starts[-1]


def due_at(zone: tzinfo, day: date) -> datetime:
    """When the report of the day is due."""
    return start_of_day(zone, day + _DAY) + DELAY


def window_of(zone: tzinfo, day: date, *, former_end: datetime | None) -> Window:
    """The moments whose news belong to the day; they begin where the window of the day before ended.

    After a change of the zone the window is longer or shorter than the day, and may be empty, so that no news is told
    twice or never.
    """
    start = start_of_day(zone, day) if former_end is None else former_end
    return Window(start, max(start, start_of_day(zone, day + _DAY)))


def first_day(zone: tzinfo, *, created_at: datetime, now: datetime) -> date:
    """The first day that a scope has a report for: the one that it was made on, or yesterday if that is long ago."""
    return max(created_at.astimezone(zone).date(), now.astimezone(zone).date() - _DAY)
