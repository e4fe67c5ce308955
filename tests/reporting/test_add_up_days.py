"""Days in timeframes, in a calendar, and against the days before them (spec 07, Usage and Daily report). Pure."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal

import pytest

from apps.core.amounts import MICRO
from apps.reporting.rules.calendar import month_of
from apps.reporting.rules.comparing import compare, first_compared_day
from apps.reporting.rules.usage import add_up, grouped
from apps.reporting.rules.windows import Timeframe

DAY, FIRST = timedelta(days=1), date(2026, 4, 1)


def test_each_day_counts_in_its_timeframe_and_outside_of_all_nowhere() -> None:
    frames = [Timeframe(FIRST, FIRST + 2 * DAY), Timeframe(FIRST + 2 * DAY, FIRST + 3 * DAY)]
    wanted = {-1: None, 0: (1, 0), 1: (1, 0), 2: (0, 1), 3: None, 9: None}
    for number, sums in wanted.items():
        found = add_up(frames, [("a", FIRST + number * DAY, Decimal(1))])
        assert found == ({} if sums is None else {"a": [Decimal(each) for each in sums]}), number
    every = [(key, FIRST + number * DAY, Decimal(5)) for key in "ab" for number in wanted]
    assert add_up(frames, every) == {key: [Decimal(10), Decimal(5)] for key in "ab"}


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        ("0", "0"),
        ("-0.0", "0"),
        ("999", "999"),
        ("1234.50", "1,234.5"),
        ("-1234567", "-1,234,567"),
        ("-0.5", "-0.5"),
        ("-1.5", "-1.5"),
        ("0.000001", "0.000001"),
    ],
)
def test_people_read_thousands_apart(figure: str, text: str) -> None:
    assert grouped(Decimal(figure)) == text


@pytest.mark.parametrize(
    ("day", "before", "last", "after", "weeks"),
    [
        ("2026-04-30", "2026-03-01", "2026-04-30", "2026-05-01", 5),
        ("2026-02-01", "2026-01-01", "2026-02-28", "2026-03-01", 5),  # from a Sunday on
        ("2027-02-14", "2027-01-01", "2027-02-28", "2027-03-01", 4),  # from Monday to Sunday
        ("2028-02-29", "2028-01-01", "2028-02-29", "2028-03-01", 5),
        ("2026-12-31", "2026-11-01", "2026-12-31", "2027-01-01", 5),
        ("2026-01-01", "2025-12-01", "2026-01-31", "2026-02-01", 5),
        ("2026-03-15", "2026-02-01", "2026-03-31", "2026-04-01", 6),
    ],
)
def test_a_month_stands_in_weeks_from_monday_on(day: str, before: str, last: str, after: str, weeks: int) -> None:
    shown = date.fromisoformat(day)
    month = month_of(shown, {shown, date.fromisoformat(before), date.fromisoformat(after)})
    assert month.first == shown.replace(day=1)
    assert [each.isoformat() for each in (month.before, month.last, month.after)] == [before, last, after]
    assert (len(month.weeks), {len(week) for week in month.weeks}) == (weeks, {7})
    places = list(itertools.chain(*month.weeks))
    days = [place.day for place in places if place.day is not None]
    assert days == [month.first + number * DAY for number in range(month.last.day)]
    for weekday, column in enumerate(zip(*month.weeks, strict=True)):
        assert {place.day.weekday() for place in column if place.day is not None} <= {weekday}
    assert [place.day for place in places if place.has_report] == [shown]


def test_a_day_is_held_against_the_one_before_and_the_28_before() -> None:
    by_day = {FIRST - back * DAY: back * MICRO for back in range(30)}
    former, mean = compare(by_day, FIRST)
    assert (former.label, former.value) == ("Day before", MICRO)
    assert (mean.label, mean.value) == ("28-day mean", 14_500_000)
    assert first_compared_day(FIRST) == FIRST - 28 * DAY
    # A day that is absent is nothing, and the mean is rounded once, to a hundredth of a credit.
    former, mean = compare({FIRST - 28 * DAY: MICRO, FIRST - 29 * DAY: 99 * MICRO, FIRST: 99 * MICRO}, FIRST)
    assert (former.value, mean.value) == (0, 40_000)
    # Half of a hundredth counts as one, and a micro-credit less does not.
    for amount, rounded in ((28 * 5_000 - 1, 0), (28 * 5_000, 10_000)):
        assert compare({FIRST - 2 * DAY: amount}, FIRST)[1].value == rounded
