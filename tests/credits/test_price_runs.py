"""What a run costs and when it may have happened, at every boundary (spec 05, Prices and Calls). Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apps.core.amounts import LARGEST_AMOUNT, MICRO, NumberOutOfRangeError
from apps.core.errors import UnprocessableError
from apps.credits.rules.months import check_occurrence, free_month, month_end
from apps.credits.rules.pricing import Price, charge_for, free_left, is_possible

NOW = datetime(2026, 4, 3, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("occurred_at", "code"),
    [
        (NOW, ""),
        (NOW + timedelta(minutes=5), ""),
        (NOW + timedelta(minutes=5) + TICK, "in_the_future"),
        (NOW - timedelta(days=35), ""),
        (NOW - timedelta(days=35) - TICK, "too_old"),
        (NOW.astimezone(timezone(timedelta(hours=14))), ""),
    ],
)
def test_a_run_happened_at_most_35_days_ago_and_5_minutes_ahead(occurred_at: datetime, code: str) -> None:
    if not code:
        check_occurrence(occurred_at, NOW)
        return
    with pytest.raises(UnprocessableError) as refusal:
        check_occurrence(occurred_at, NOW)
    assert [(error.field, error.code) for error in refusal.value.errors] == [("occurred_at", code)]


def test_what_is_booked_whatever_comes_may_lie_400_days_back() -> None:
    check_occurrence(NOW - timedelta(days=400), NOW, is_booked=True)
    with pytest.raises(UnprocessableError, match="400 days back"):
        check_occurrence(NOW - timedelta(days=400) - TICK, NOW, is_booked=True)


@pytest.mark.parametrize(
    ("at", "now", "zone", "month", "is_late"),
    [
        ("2026-04-01T00:00:00+00:00", "2026-04-03T12:00:00+00:00", "UTC", "2026-04-01", False),
        ("2026-03-31T23:59:59+00:00", "2026-04-03T12:00:00+00:00", "UTC", "2026-03-01", False),
        # Already April in Berlin, still March in New York.
        ("2026-03-31T22:00:00+00:00", "2026-04-03T12:00:00+00:00", "Europe/Berlin", "2026-04-01", False),
        ("2026-04-01T03:59:59+00:00", "2026-04-03T12:00:00+00:00", "America/New_York", "2026-03-01", False),
        # March ended 35 days ago, and a moment more.
        ("2026-03-31T12:00:00+00:00", "2026-05-06T00:00:00+00:00", "UTC", "2026-03-01", False),
        ("2026-03-31T12:00:00+00:00", "2026-05-06T00:00:01+00:00", "UTC", "2026-05-01", True),
        ("2025-06-30T12:00:00+00:00", "2026-05-31T23:00:00+00:00", "Europe/Berlin", "2026-06-01", True),
        ("2025-12-31T23:00:00+00:00", "2026-01-01T00:00:00+00:00", "Pacific/Kiritimati", "2026-01-01", False),
    ],
)
def test_a_run_takes_the_free_quantity_of_its_month_by_the_zone(
    at: str, now: str, zone: str, month: str, is_late: bool
) -> None:
    found = free_month(datetime.fromisoformat(at), datetime.fromisoformat(now), ZoneInfo(zone))
    assert found == (date.fromisoformat(month), is_late)


def test_a_month_ends_by_its_own_clock_through_changes_of_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert month_end(date(2026, 3, 1), berlin).astimezone(UTC) == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert month_end(date(2026, 12, 1), berlin).astimezone(UTC) == datetime(2026, 12, 31, 23, tzinfo=UTC)


SCAN = Price("scan", "file", 10_000, minimum_charge=25_000, free_quantity=4 * MICRO, quantum=10_000)


@pytest.mark.parametrize(
    ("quantity", "free", "charge"),
    [
        (4 * MICRO, 4 * MICRO, 0),
        (4 * MICRO + 1, 4 * MICRO, 25_000),
        (4 * MICRO, 4 * MICRO - 1, 25_000),
        (2 * MICRO, 0, 25_000),
        (3 * MICRO, 0, 30_000),
        (3 * MICRO, -MICRO, 30_000),
        (10 * MICRO, 4 * MICRO, 60_000),
        (0, 0, 0),
    ],
)
def test_only_what_is_not_free_costs_and_at_least_the_minimum(quantity: int, free: int, charge: int) -> None:
    assert charge_for(SCAN, quantity, free_left=free) == charge


@pytest.mark.parametrize(("used", "left"), [(0, 4 * MICRO), (4 * MICRO - 1, 1), (4 * MICRO, 0), (5 * MICRO, 0)])
def test_free_quantity_ends_at_nothing(used: int, left: int) -> None:
    assert free_left(SCAN, used) == left


def test_a_charge_beyond_the_largest_amount_is_none() -> None:
    assert charge_for(Price("x", "x", LARGEST_AMOUNT), MICRO) == LARGEST_AMOUNT
    with pytest.raises(NumberOutOfRangeError):
        charge_for(Price("x", "x", LARGEST_AMOUNT), MICRO + 1)


@pytest.mark.parametrize(
    ("values", "possible"),
    [
        ({}, True),
        ({"unit_price": 0}, True),
        ({"unit_price": -1}, False),
        ({"unit_price": LARGEST_AMOUNT}, True),
        ({"unit_price": LARGEST_AMOUNT + 1}, False),
        ({"minimum_charge": -10}, False),
        ({"minimum_charge": 20}, True),
        ({"minimum_charge": 25}, False),
        ({"free_quantity": -1}, False),
        ({"free_quantity": LARGEST_AMOUNT + 1}, False),
        ({"quantum": 0}, False),
        ({"quantum": 1}, True),
        ({"quantum": LARGEST_AMOUNT}, True),
        ({"quantum": LARGEST_AMOUNT + 1}, False),
    ],
)
def test_a_policy_holds_possible_prices_alone(values: dict[str, int], possible: bool) -> None:
    parts: dict[str, Any] = {"unit_price": 100, "quantum": 10, **values}
    assert is_possible(Price("scan", "file", **parts)) is possible


def test_without_more_words_a_run_costs_when_it_succeeded() -> None:
    price = Price("run", "run", MICRO)
    assert (price.minimum_charge, price.free_quantity, price.quantum) == (0, 0, 1)
    assert [price.bills(outcome) for outcome in ("succeeded", "partial", "failed", "")] == [True, False, False, False]
