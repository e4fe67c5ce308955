"""Which day a moment belongs to, in a zone, as a table that a statement can search (spec 07, Which time counts).

The zones are those of this process: the database's own may be of another age, and know other zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_STEP = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class DayTable:
    """`days[i]` is the local day from `starts[i]` until the next start.

    Mostly the days follow one another. Where clocks go back over midnight a day has two stretches, and a day that a
    zone left out (Apia, 30 December 2011) has none.
    """

    starts: tuple[datetime, ...]
    days: tuple[date, ...]


def day_table(zone: tzinfo, first: datetime, last: datetime) -> DayTable:
    """The days of every moment from `first` to `last`."""
    starts: list[datetime] = []
    days: list[date] = []
    for start, day in _stretches(zone, first.replace(microsecond=0).astimezone(UTC), last.astimezone(UTC)):
        if start <= last and (not days or days[-1] != day):
            starts.append(start)
            days.append(day)
    return DayTable(tuple(starts), tuple(days))


def _stretches(zone: tzinfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, date]]:
    """Each stretch of one offset, cut at its midnights."""
    at, offset = first, _offset(zone, first)
    while at <= last:
        following = at + _STEP
        next_offset = _offset(zone, following)
        change = following if next_offset == offset else _change(zone, at, following)
        yield from _midnights(at, change, offset)
        yield from _midnights(change, following, next_offset)
        at, offset = following, next_offset


def _midnights(start: datetime, end: datetime, offset: timedelta) -> Iterator[tuple[datetime, date]]:
    local = start + offset
    yield start, local.date()
    midnight = local.replace(hour=0, minute=0, second=0) + _STEP
    while midnight - offset < end:
        yield midnight - offset, midnight.date()
        midnight += _STEP


def _change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The second at which the offset changes; no zone changes twice in a day."""
    offset, low, high = _offset(zone, before), 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + middle * _SECOND) == offset:
            low = middle
        else:
            high = middle
    return before + high * _SECOND


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).replace(tzinfo=UTC) - moment
