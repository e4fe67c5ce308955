"""The three windows of usage, and their timeframes (spec 07, Usage)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from apps.core.enums import TextEnum

_DAYS, _WEEKS, _MONTHS = 30, 26, 12


class TimeWindow(TextEnum):
    """The windows by their name on the wire."""

    LAST_MONTH = "lastMonth", "30 days"
    LAST_SIX_MONTHS = "lastSixMonths", "26 weeks"
    LAST_YEAR = "lastYear", "12 months"


@dataclass(frozen=True, slots=True, order=True)
class Timeframe:
    """Local days from `start` until before `end`."""

    start: date
    end: date


def timeframes(window: TimeWindow, today: date) -> tuple[Timeframe, ...]:
    """Every timeframe of the window, oldest first; the last holds today and is still running."""
    starts = _STARTS[window](today)
    return tuple(Timeframe(start, end) for start, end in pairwise(starts))


def _days(today: date) -> list[date]:
    return [today - timedelta(days=back) for back in range(_DAYS - 1, -2, -1)]


def _weeks(today: date) -> list[date]:
    monday = today - timedelta(days=today.weekday())
    return [monday - timedelta(weeks=back) for back in range(_WEEKS - 1, -2, -1)]


def _months(today: date) -> list[date]:
    number = today.year * 12 + today.month - 1
    return [date(place // 12, place % 12 + 1, 1) for place in range(number - _MONTHS + 1, number + 2)]


_STARTS: Mapping[TimeWindow, Callable[[date], list[date]]] = {
    TimeWindow.LAST_MONTH: _days,
    TimeWindow.LAST_SIX_MONTHS: _weeks,
    TimeWindow.LAST_YEAR: _months,
}
