"""The days of a month as the rows of a calendar. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

_WEEK = 7


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One place of the calendar; None where the row reaches into another month."""

    day: date | None
    has_report: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A month with its weeks from Monday on, and the months beside it."""

    first: date
    weeks: tuple[tuple[CalendarDay, ...], ...]

    @property
    def before(self) -> date:
        """The first day of the month before."""
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def after(self) -> date:
        """The first day of the month after."""
        return (self.first + timedelta(days=32)).replace(day=1)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.after - timedelta(days=1)


def month_of(day: date, reports: Collection[date]) -> Month:
    """The month that the day lies in, with the days that have a report."""
    first = day.replace(day=1)
    length = (Month(first, ()).last - first).days + 1
    places: list[CalendarDay] = [CalendarDay(None, has_report=False)] * first.weekday()
    for number in range(length):
        found = first + timedelta(days=number)
        places.append(CalendarDay(found, has_report=found in reports))
    places += [CalendarDay(None, has_report=False)] * (-len(places) % _WEEK)
    weeks = tuple(tuple(places[start : start + _WEEK]) for start in range(0, len(places), _WEEK))
    return Month(first, weeks)
