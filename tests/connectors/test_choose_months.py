"""Month selection never skips, repeats or picks the future (spec 11, P6).

Each life of a connector is walked hour by hour in a zone, with syncs that come at random hours, miss whole weeks and
break off. After every hour the choice is held to an oracle that knows no month's end: it reads the wall clock of the
zone now, and of a settlement lag ago.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from zoneinfo import ZoneInfo

import pytest

from apps.connectors.contracts import Month
from apps.connectors.rules.months import (
    MonthDecision,
    MonthFacts,
    MonthNotBegunError,
    MonthReading,
    month_of,
    select_months,
)
from tests.sizes import IS_FULL, size
from tests.subscriptions.cast import chance_of

ZONES = (
    "UTC",
    "Pacific/Auckland",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Pacific/Pago_Pago",
    "America/Los_Angeles",
    "America/New_York",
    "America/Havana",  # moves its clocks at midnight
    "America/St_Johns",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Asia/Beirut",  # moves its clocks at midnight
)
LAGS = tuple(timedelta(hours=hours) for hours in (0, 36, 5 * 24, 12 * 24 + 1, 40 * 24))
HOUR = timedelta(hours=1)
YEARS = range(2024, 2033)
SEED = 6
Select = Callable[[MonthFacts, datetime], list[MonthDecision]]


def due_months(decisions: list[MonthDecision]) -> list[Month]:
    return [decision.month for decision in decisions if decision.is_due]


def oracle(facts: MonthFacts, now: datetime) -> dict[Month, str]:
    """What each month must be: by wall clocks alone, without a month's end."""
    assert facts.first_month is not None
    settled_before = _wall_month(now - facts.settlement_lag, facts.zone)
    expected, (year, number) = {}, (facts.first_month.year, facts.first_month.number)
    while (year, number) <= _wall_month(now, facts.zone):
        reading = facts.readings.get(Month(year, number), MonthReading())
        was_settled = (
            reading.read_at is not None
            and _wall_month(reading.read_at - facts.settlement_lag, facts.zone) > (year, number)
            and (reading.reopened_at is None or reading.reopened_at <= reading.read_at)
        )
        is_open = (year, number) == _wall_month(now, facts.zone)
        assert not (was_settled and settled_before <= (year, number))
        expected[Month(year, number)] = "open" if is_open else "final" if was_settled else "settling"
        year, number = (year, number + 1) if number < 12 else (year + 1, 1)
    return expected


def _wall_month(moment: datetime, zone: object) -> tuple[int, int]:
    local = moment.astimezone(zone)  # type: ignore[arg-type]
    return local.year, local.month


def walk(zone_name: str, lag: timedelta, years: range, step: timedelta, select: Select) -> int:
    """Live a connector for each of the years, and hold every hour's choice to the oracle; returns the hours."""
    chance, hours = chance_of(SEED + ZONES.index(zone_name) * len(LAGS) + LAGS.index(lag)), 0
    for year in years:
        facts = MonthFacts(ZoneInfo(zone_name), lag, _first_month(zone_name, year), {})
        for now in _hours(year, step):
            hours += 1
            decisions = select(facts, now)
            found = {decision.month: decision.status.value for decision in decisions}
            expected = oracle(facts, now)
            assert found == expected, f"{zone_name}, lag {lag}, {now}"
            due = due_months(decisions)
            assert due == [month for month, status in expected.items() if status != "final"]
            facts = _next(facts, now, due, chance, step)
    return hours


def _first_month(zone_name: str, year: int) -> Month:
    local = datetime(year, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(zone_name))
    return Month(local.year, local.month)


def _hours(year: int, step: timedelta) -> Iterator[datetime]:
    now, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    while now < end:
        yield now
        now += step


def _next(facts: MonthFacts, now: datetime, due: list[Month], chance: random.Random, step: timedelta) -> MonthFacts:
    """Now and then a sync reads what is due, or breaks off; now and then a month is reopened."""
    readings = facts.readings
    if chance.random() < 0.02 * (step / HOUR):
        done = due if chance.random() < 0.7 else due[: chance.randrange(len(due) + 1)]
        readings = {**readings, **{month: replace(readings.get(month, MonthReading()), read_at=now) for month in done}}
    if readings and chance.random() < 0.001 * (step / HOUR):
        month = chance.choice(sorted(readings))
        readings = {**readings, month: replace(readings[month], reopened_at=now + HOUR)}
    return facts if readings is facts.readings else replace(facts, readings=readings)


def _walked(cell: tuple[str, timedelta]) -> int:
    if IS_FULL:
        return walk(*cell, YEARS, HOUR, select_months)
    # Thirteen hours are prime to the day and to the week, so that each hour of the day comes up; one year of the nine.
    first = 2024 + (len(cell[0]) + cell[1].days) % len(YEARS)
    return walk(*cell, range(first, first + 1), 13 * HOUR, select_months)


# 2024 to 2032 are 3,288 days.
HOURS = size(small=40_000, full=24 * 3_288 * len(ZONES) * len(LAGS))


@pytest.mark.prove("P6 months are never skipped, repeated or of the future", size=HOURS, control="three are caught")
def test_every_hour_in_every_zone_with_every_lag() -> None:
    cells = [(zone, lag) for zone in ZONES for lag in LAGS]
    with ProcessPoolExecutor(os.cpu_count() or 2, mp_context=get_context("fork")) as pool:
        hours = sum(pool.map(_walked, cells))
    assert hours == HOURS if IS_FULL else hours >= HOURS


def in_zone(zone: str) -> Select:
    """Month selection that asks a clock other than the organization's."""
    return lambda facts, now: select_months(replace(facts, zone=ZoneInfo(zone)), now)


def by_thirty_days(facts: MonthFacts, now: datetime) -> list[MonthDecision]:
    """ "This month and the last", where the last is thirty days ago."""
    months = {month_of(now - timedelta(days=30), facts.zone), month_of(now, facts.zone)}
    return [decision for decision in select_months(facts, now) if decision.month in months]


@pytest.mark.parametrize(
    ("zone", "lag", "broken"),
    [
        ("Pacific/Auckland", LAGS[2], in_zone("UTC")),
        ("Asia/Kathmandu", LAGS[0], in_zone("America/Los_Angeles")),
        ("UTC", LAGS[2], by_thirty_days),
    ],
    ids=["UTC only", "the server's zone", "thirty days ago"],
)
def test_a_choice_that_goes_wrong_is_caught(zone: str, lag: timedelta, broken: Select) -> None:
    with pytest.raises(AssertionError):
        walk(zone, lag, range(2025, 2026), HOUR, broken)


FACTS = MonthFacts(ZoneInfo("Pacific/Auckland"), first_month=Month(2026, 2))
NOON = datetime(2026, 4, 3, 12, tzinfo=UTC)


def test_each_decision_says_why() -> None:
    read = MonthReading(read_at=datetime(2026, 3, 20, tzinfo=UTC))
    facts = replace(FACTS, readings={Month(2026, 2): read})
    assert [(str(d.month), d.status.value, d.is_due, d.why) for d in select_months(facts, NOON)] == [
        ("2026-02", "final", False, "Final: read completely after it closed on 5 March 2026."),
        ("2026-03", "settling", True, "Ended. The provider may still change it until 5 April 2026."),
        ("2026-04", "open", True, "The month is open: it ends on 30 April 2026."),
    ]


def test_a_sync_that_began_before_the_lag_was_over_makes_nothing_final() -> None:
    march = select_months(FACTS, NOON)[1]
    for read_at, status in [(march.settles_at - timedelta(microseconds=1), "settling"), (march.settles_at, "final")]:
        facts = replace(FACTS, readings={march.month: MonthReading(read_at=read_at)})
        assert select_months(facts, NOON + timedelta(days=30))[1].status.value == status


@pytest.mark.parametrize(
    ("after", "status", "is_settled", "why"),
    [
        (timedelta(0), "open", False, "It ends on"),
        (timedelta(microseconds=1), "settling", False, "may still change it until"),
        (MonthFacts(UTC).settlement_lag, "settling", False, "may still change it until"),
        (MonthFacts(UTC).settlement_lag + timedelta(microseconds=1), "settling", True, "Closed on"),
    ],
    ids=["before its end", "at its end", "before it has settled", "once it has settled"],
)
def test_a_month_ends_and_settles_at_the_very_moment(after: timedelta, status: str, is_settled: bool, why: str) -> None:
    """`after` counts from the last microsecond of March in Auckland."""
    last = datetime(2026, 4, 1, tzinfo=ZoneInfo("Pacific/Auckland")).astimezone(UTC) - timedelta(microseconds=1)
    facts = replace(FACTS, first_month=Month(2026, 3))
    march = select_months(facts, last + after)[0]
    assert (march.status.value, march.is_settled) == (status, is_settled)
    assert why.lower() in march.why.lower()


def test_a_final_month_is_read_again_by_its_name_alone() -> None:
    february = Month(2026, 2)
    facts = replace(FACTS, readings={february: MonthReading(read_at=datetime(2026, 3, 20, tzinfo=UTC))})
    (decision,) = select_months(facts, NOON, february)
    assert (decision.is_due, decision.reopens) == (True, True)
    reopened = replace(facts, readings={february: replace(facts.readings[february], reopened_at=NOON)})
    assert due_months(select_months(reopened, NOON))[0] == february
    again = replace(facts, readings={february: MonthReading(read_at=NOON + HOUR, reopened_at=NOON)})
    assert february not in due_months(select_months(again, NOON + HOUR))


def test_a_month_asked_for_by_name_says_whether_that_reopens_it() -> None:
    read = MonthReading(read_at=datetime(2026, 3, 20, tzinfo=UTC))
    facts = replace(FACTS, readings={Month(2026, 2): read})
    (final,) = select_months(facts, NOON, Month(2026, 2))
    assert final.why == "2026-02 was final. It is read again because somebody asked for it by name."
    for month in (Month(2026, 3), Month(2026, 4)):
        (decision,) = select_months(facts, NOON, month)
        assert (decision.is_due, decision.reopens) == (True, False)
        assert "by name" not in decision.why


def test_a_reopened_month_says_so_until_it_is_read_whole_again() -> None:
    february, read_at = Month(2026, 2), datetime(2026, 3, 20, tzinfo=UTC)
    reopened = replace(FACTS, readings={february: MonthReading(read_at=read_at, reopened_at=NOON)})
    decision = select_months(reopened, NOON)[0]
    assert (decision.status.value, decision.is_due) == ("settling", True)
    assert decision.why == "Reopened. The next complete sync makes it final again."
    # A sync that began at the very moment of the reopening has read everything.
    for began, status in [(NOON - timedelta(microseconds=1), "settling"), (NOON, "final")]:
        facts = replace(FACTS, readings={february: MonthReading(read_at=began, reopened_at=NOON)})
        assert select_months(facts, NOON)[0].status.value == status


def test_the_future_is_refused_by_the_calendar_of_the_organization() -> None:
    may_in_auckland = datetime(2026, 4, 30, 12, tzinfo=UTC)
    assert select_months(FACTS, may_in_auckland, Month(2026, 5))[0].is_due
    with pytest.raises(MonthNotBegunError, match="2026-05 has not begun"):
        select_months(FACTS, may_in_auckland - HOUR, Month(2026, 5))


def test_without_a_first_month_it_begins_thirteen_months_back() -> None:
    months = due_months(select_months(replace(FACTS, first_month=None), NOON))
    assert (str(months[0]), str(months[-1]), len(months)) == ("2025-03", "2026-04", 14)
