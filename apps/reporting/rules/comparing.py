"""Compares a day with the one before and with the mean of the 28 days before it (spec 07, Daily report). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from apps.core.amounts import MICRO, round_to_quantum
from apps.reporting.rules.document import Comparison

MEAN_DAYS = 28
_DAY = timedelta(days=1)


def first_compared_day(day: date) -> date:
    """The first of the days that the day is compared with."""
    return day - MEAN_DAYS * _DAY


def compare(by_day: Mapping[date, int], day: date) -> tuple[Comparison, Comparison]:
    """The micro-credits of the day before, and the mean of the 28 days before, rounded once to a hundredth of a credit.

    A day that is absent is 0.
    """
    days = [day - back * _DAY for back in range(1, MEAN_DAYS + 1)]
    mean = round_to_quantum(sum(by_day.get(former, 0) for former in days), MEAN_DAYS, MICRO // 100)
    return Comparison("Day before", by_day.get(days[0], 0)), Comparison(f"{MEAN_DAYS}-day mean", mean)
