"""The forecast plays the future as the ledger would burn it (spec 08, the Credits pages)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from apps.credits.rules.forecast import Forecast, Lot, forecast

NOW = datetime(2026, 4, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SIZE = 300


def lot(left: int, ends: float | None = None, begins: float | None = None) -> Lot:
    """A lot that begins and ends after so many days."""
    moments = [NOW + days * DAY if days is not None else None for days in (begins, ends)]
    return Lot(uuid.uuid4(), left, *moments)


def played(lots: Sequence[Lot], *, owed: int = 0, a_day: int = 10) -> tuple[int | None, list[int]]:
    told = forecast(lots, owed=owed, burned=a_day * 10, observed_days=10, now=NOW)
    assert told.will_lapse == sum(lapse.amount for lapse in told.lapses)
    return told.days, [lapse.amount for lapse in told.lapses]


@pytest.mark.parametrize(
    ("lots", "owed", "days", "lapses"),
    [
        ([], 0, 0, []),
        ([lot(100)], 0, 10, []),
        ([lot(109)], 0, 10, []),
        ([lot(109)], 30, 7, []),
        ([lot(20)], 30, 0, []),
        ([lot(100, ends=4)], 0, 4, [60]),
        ([lot(40, ends=4)], 0, 4, []),
        ([lot(100, ends=4), lot(50)], 0, 9, [60]),
        ([lot(50), lot(100, ends=4)], 0, 5, [100]),
        ([lot(100, ends=4.5), lot(50)], 0, 9, [55]),
        ([lot(100, ends=4), lot(100, ends=6), lot(10)], 0, 7, [60, 80]),
        # What begins later counts from then on, and not before.
        ([lot(20), lot(100, begins=2)], 0, 12, []),
        ([lot(20), lot(100, begins=3)], 0, 2, []),
        ([lot(100, begins=1), lot(20)], 0, 12, []),
        ([lot(100, begins=1, ends=5), lot(20)], 0, 6, [60]),
        ([lot(100, begins=0, ends=5)], 0, 5, [50]),
        # What ends at this moment has ended: it pays nothing, and its lapse is not to come.
        ([lot(50, ends=0), lot(20)], 0, 2, []),
        ([lot(50, ends=-2), lot(100, begins=-3, ends=4), lot(20)], 0, 6, [60]),
        # What is owed is paid first, by what lives; a debt that it does not cover leaves nothing.
        ([lot(100, ends=4), lot(50)], 90, 6, []),
        ([lot(10), lot(100, begins=1)], 50, 0, []),
        # Also where the next credits begin before a single one more is spent.
        ([lot(10), lot(100, begins=0.05)], 50, 0, []),
        # What ends after the credits have run out is not told: it may be spent faster.
        ([lot(20), lot(100, begins=3, ends=4)], 0, 2, []),
    ],
)
def test_the_burn_order_is_played_with_its_ends(lots: list[Lot], owed: int, days: int, lapses: list[int]) -> None:
    assert played(lots, owed=owed) == (days, lapses)


@pytest.mark.parametrize(
    ("burned", "observed", "wanted"),
    [
        (30, 3, Forecast(10, 10, 3)),
        (30, 2, Forecast(None, 15, 2)),
        (300, 40, Forecast(10, 10, 30)),
        (300, 30, Forecast(10, 10, 30)),
        (0, 10, Forecast(None, 0, 10)),
        (-5, 10, Forecast(None, 0, 10)),
        (1, 3, Forecast(None, 0, 3)),
        (5, 0, Forecast(None, 0, 0)),
        (5, 1, Forecast(None, 5, 1)),
        (1, 1, Forecast(None, 1, 1)),
    ],
)
def test_the_pace_is_that_of_the_last_30_days_once_there_are_three(
    burned: int, observed: int, wanted: Forecast
) -> None:
    assert forecast([lot(100)], owed=0, burned=burned, observed_days=observed, now=NOW) == wanted


def test_where_nothing_is_spent_everything_that_ends_lapses() -> None:
    told = forecast([lot(70, ends=3), lot(30), lot(5, begins=1, ends=2)], owed=40, burned=0, observed_days=0, now=NOW)
    assert (told.days, [(lapse.amount, (lapse.at - NOW).days) for lapse in told.lapses]) == (None, [(5, 2), (30, 3)])


def test_what_is_owed_is_paid_by_what_begins_later_where_nothing_is_spent() -> None:
    told = forecast([lot(10), lot(100, begins=1, ends=2)], owed=50, burned=0, observed_days=9, now=NOW)
    assert (told.days, [lapse.amount for lapse in told.lapses]) == (None, [60])


@pytest.mark.parametrize(("days", "is_told"), [(None, False), (0, True), (3_650, True), (3_651, False)])
def test_the_day_on_which_they_run_out_is_told_unless_it_lies_years_ahead(days: int | None, is_told: bool) -> None:
    told = Forecast(days, 10, 30).runs_out_at(NOW)
    assert told == (NOW + (days or 0) * DAY if is_told else None)


@dataclass
class Slow:
    """The same, one credit after the other."""

    left: int
    begins: int
    ends: int


def slow(lots: Sequence[Lot], owed: int, a_day: int) -> tuple[int, list[int]]:
    rows = [Slow(each.left, (each.begins_at - NOW).days if each.begins_at else 0, _end(each)) for each in lots]
    lapses: list[int] = []
    for day in range(2_000):
        for _ in range((owed if day == 0 else 0) + a_day):
            payer = next((row for row in rows if row.left and row.begins <= day < row.ends), None)
            if payer is None:
                return day, lapses
            payer.left -= 1
        for row in rows:
            if row.ends == day + 1 and row.left:
                lapses.append(row.left)
                row.left = 0
    raise AssertionError("too long")


def _end(each: Lot) -> int:
    return (each.expires_at - NOW).days if each.expires_at else 10_000


def test_any_future_is_played_as_credit_by_credit() -> None:
    chance = random.Random(20260403)  # noqa: S311 - the same futures each time
    for _ in range(SIZE):
        lots = []
        for _ in range(chance.randint(0, 6)):
            begins = chance.choice([None, None, chance.randint(1, 9)])
            ends = chance.choice([None, (begins or 0) + chance.randint(1, 9)])
            lots.append(lot(chance.randint(1, 60), ends=ends, begins=begins))
        owed, a_day = chance.choice([0, 0, chance.randint(1, 50)]), chance.randint(1, 12)
        assert played(lots, owed=owed, a_day=a_day) == slow(lots, owed, a_day), (lots, owed, a_day)
