"""When the schedule reads a month that is not final: less often the longer it does not change (spec 06, Sync run)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from apps.connectors.contracts import Month
from apps.connectors.rules.months import MonthFacts, MonthReading, next_reading, select_months, shrinks

HOUR = timedelta(hours=1)
BERLIN_APRIL = MonthFacts(zone=ZoneInfo("Europe/Berlin"), first_month=Month(2026, 4))


def readings_of(facts: MonthFacts, start: datetime, hours: int, changes: set[int]) -> list[int]:
    """The hours, counted from the start, at which the schedule reads April; it changes at some of them."""
    reading, read = MonthReading(), []
    for hour in range(hours):
        now = start + timedelta(hours=hour, minutes=7)
        (decision, *_) = select_months(replace(facts, readings={Month(2026, 4): reading}), now)
        if decision.next_at is None or decision.next_at > now:
            continue
        read.append(hour)
        # Each sync starts some minutes late.
        changed_at = now if hour in changes or reading.changed_at is None else reading.changed_at
        reading = MonthReading(read_at=now + timedelta(minutes=hour % 40), changed_at=changed_at)
    return read


def test_a_quiet_month_is_read_less_and_less_down_to_once_a_day() -> None:
    start = datetime(2026, 4, 10, tzinfo=UTC)
    assert readings_of(BERLIN_APRIL, start, 100, set()) == [0, 1, 2, 4, 8, 16, 32, 56, 80]
    assert readings_of(BERLIN_APRIL, start, 40, {8}) == [0, 1, 2, 4, 8, 9, 10, 12, 16, 24]
    assert readings_of(BERLIN_APRIL, start, 6, set(range(6))) == [0, 1, 2, 3, 4, 5]


def test_however_quiet_a_month_is_read_when_it_ends_and_when_it_settles() -> None:
    """April in Berlin ends at 22:00 in UTC, and settles five days later; what is read then is final."""
    start = datetime(2026, 4, 1, tzinfo=UTC)
    hours = readings_of(BERLIN_APRIL, start, 24 * 60, set())
    ends = int((datetime(2026, 4, 30, 22, tzinfo=UTC) - start) / HOUR)
    assert ends in hours
    # Between the two it is no more often: neither moment counts once it is behind.
    assert hours[-6:] == [ends + 24 * days for days in range(6)]
    assert max(later - earlier for earlier, later in pairwise(hours)) == 24


@pytest.mark.parametrize("mark", ["its end", "its reopening"])
def test_a_month_is_read_at_the_moment_after_which_it_was_not_read(mark: str) -> None:
    """A reading that began at the very moment is one after it."""
    moment, instant = datetime(2026, 4, 30, 22, tzinfo=UTC), timedelta.resolution
    six_hours_before = MonthReading(changed_at=moment - 6 * HOUR)
    if mark == "its reopening":
        moment += 5 * HOUR
        six_hours_before = MonthReading(changed_at=moment - 6 * HOUR, reopened_at=moment)
    for read_at, expected in (
        (moment - instant, moment),
        (moment, moment + 6 * HOUR),
        (moment + instant, moment + 6 * HOUR),
    ):
        readings = {Month(2026, 4): replace(six_hours_before, read_at=read_at)}
        (april, *_) = select_months(replace(BERLIN_APRIL, readings=readings), moment + HOUR)
        assert april.next_at == expected, read_at


def test_a_connector_is_looked_at_again_at_the_next_of_its_months() -> None:
    now = datetime(2026, 4, 10, 9, 20, tzinfo=UTC)
    for reading, expected in (
        (MonthReading(), datetime(2026, 4, 10, 10, tzinfo=UTC)),
        (MonthReading(now, None, now), datetime(2026, 4, 10, 10, tzinfo=UTC)),
        (MonthReading(now, None, now - timedelta(hours=6)), datetime(2026, 4, 10, 15, tzinfo=UTC)),
        (MonthReading(now, None, now - timedelta(days=6)), datetime(2026, 4, 11, 9, tzinfo=UTC)),
        # While it waits for a person nothing is read before the next month begins.
        (MonthReading(now, None, now, waits_since=now), datetime(2026, 4, 30, 22, tzinfo=UTC)),
        (MonthReading(now, None, now, refused_at=now), datetime(2026, 4, 11, 10, tzinfo=UTC)),
    ):
        decisions = select_months(replace(BERLIN_APRIL, readings={Month(2026, 4): reading}), now)
        assert next_reading(decisions, now) == expected, reading


def test_a_month_that_waits_for_a_person_holds_up_none_of_the_others() -> None:
    now = datetime(2026, 5, 2, 9, 20, tzinfo=UTC)
    waiting, read = MonthReading(now, None, now, waits_since=now), MonthReading(now, None, now - timedelta(hours=6))
    for readings in ({Month(2026, 4): waiting, Month(2026, 5): read}, {Month(2026, 4): read, Month(2026, 5): waiting}):
        decisions = select_months(replace(BERLIN_APRIL, readings=readings), now)
        assert next_reading(decisions, now) == datetime(2026, 5, 2, 15, tzinfo=UTC)


def test_a_connector_whose_first_month_is_still_to_come_is_looked_at_in_a_day() -> None:
    """So it is for some hours where its organization moved to a zone in which the month has not begun."""
    now = datetime(2026, 3, 31, 9, 20, tzinfo=UTC)
    decisions = select_months(BERLIN_APRIL, now)
    assert decisions == []
    assert next_reading(decisions, now) == datetime(2026, 4, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("before", [0, 1, 2, 3, 9, 10, 1_000])
def test_a_month_shrinks_when_more_than_so_much_of_it_goes(before: int) -> None:
    for after in range(before + 2):
        assert shrinks(before, after, percent=50) is (after < before / 2)
    assert not shrinks(before, 0, percent=100)
    assert shrinks(before, before - 1, percent=0)
