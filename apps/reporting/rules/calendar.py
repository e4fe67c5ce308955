"""The days of a month as the rows of a calendar. Pure."""

from __future__ import annotations

from calendar import Calendar, monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

_DAY = timedelta(days=1)
_FROM_MONDAY = Calendar()


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One place of the calendar; None where the row reaches into another month."""

    day: date | None
    has_report: bool


_OUTSIDE = CalendarDay(None, has_report=False)


@dataclass(frozen=True, slots=True)
class Month:
    """A month with its weeks from Monday on, and the months beside it."""

    first: date
    weeks: tuple[tuple[CalendarDay, ...], ...]

    @property
    def before(self) -> date:
        """The first day of the month before."""
        return (self.first - _DAY).replace(day=1)

    @property
    def after(self) -> date:
        """The first day of the month after."""
        return self.last + _DAY

    @property
    def last(self) -> date:
        """Its last day."""
        _, length = monthrange(self.first.year, self.first.month)
        return self.first.replace(day=length)


def month_of(day: date, reports: Collection[date]) -> Month:
    """The month that the day lies in, with the days that have a report."""
    return Month(
        day.replace(day=1),
        tuple(
            tuple(CalendarDay(each, each in reports) if each.month == day.month else _OUTSIDE for each in week)
            for week in _FROM_MONDAY.monthdatescalendar(day.year, day.month)
        ),
    )
