"""How often a secret may be guessed: the rule, by a table of cases (spec 11; ASVS 5, 6.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.tenants.brute_force import in_words
from apps.tenants.guess_limits import LIMITS, Count, Counted, GuessKind, Limit, count_try, limits_for, seconds_to_wait

NOW = datetime(2026, 4, 3, 9, 30, tzinfo=UTC)
FIVE = Limit(Counted.PAIR, 5, timedelta(minutes=15))
TWENTY = Limit(Counted.ACCOUNT, 20, timedelta(hours=1))


def count(tries: int, **left: float) -> Count:
    return Count(tries, NOW + timedelta(**left))


@pytest.mark.parametrize(
    ("counts", "wait"),
    [
        ([(FIVE, None)], 0),
        ([(FIVE, count(0, seconds=0))], 0),
        ([(FIVE, count(4, minutes=9))], 0),
        ([(FIVE, count(5, minutes=9))], 540),
        ([(FIVE, count(5, seconds=0.001))], 1),
        ([(FIVE, count(5, seconds=1))], 1),
        ([(FIVE, count(5, seconds=1.5))], 2),
        ([(FIVE, count(5, seconds=0))], 0),
        ([(FIVE, count(500, seconds=-1))], 0),
        ([(FIVE, count(4, minutes=9)), (TWENTY, count(19, minutes=50))], 0),
        ([(FIVE, count(4, minutes=9)), (TWENTY, count(20, minutes=50))], 3000),
        ([(FIVE, count(5, minutes=9)), (TWENTY, count(19, minutes=50))], 540),
        ([(FIVE, count(5, minutes=9)), (TWENTY, count(20, minutes=5))], 540),
        ([(FIVE, count(5, minutes=-1)), (TWENTY, count(20, minutes=5))], 300),
    ],
)
def test_the_wait_is_that_of_the_longest_window_that_is_full(counts: list[tuple[Limit, Count]], wait: int) -> None:
    assert seconds_to_wait(counts, NOW) == wait


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, count(1, minutes=15)),
        (count(0, seconds=0), count(1, minutes=15)),
        (count(0, minutes=3), count(1, minutes=15)),
        (count(1, minutes=3), count(2, minutes=3)),
        (count(4, seconds=0.5), count(5, seconds=0.5)),
        (count(5, seconds=0), count(1, minutes=15)),
        (count(5, days=-3), count(1, minutes=15)),
    ],
)
def test_a_try_begins_a_window_or_joins_the_open_one(before: Count | None, after: Count) -> None:
    assert count_try(FIVE, before, NOW) == after


@pytest.mark.parametrize("kind", list(GuessKind))
def test_a_known_device_is_counted_alone_and_everybody_else_three_ways(kind: GuessKind) -> None:
    assert {limit.counted for limit in limits_for(kind, is_known_device=True)} == {Counted.DEVICE}
    strangers = {limit.counted for limit in limits_for(kind, is_known_device=False)}
    assert strangers == {Counted.PAIR, Counted.ACCOUNT, Counted.ADDRESS}
    pair, account = (
        next(limit for limit in LIMITS[kind] if limit.counted is counted) for counted in (Counted.PAIR, Counted.ACCOUNT)
    )
    # One address can't bring about the wait for everybody, and no wait that strangers bring about is longer than this.
    assert pair.tries < account.tries
    assert all(limit.window <= timedelta(hours=1) for limit in limits_for(kind, is_known_device=False))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (2, "2 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (121, "3 minutes"),
        (900, "15 minutes"),
    ],
)
def test_a_wait_is_told_in_words(seconds: int, words: str) -> None:
    assert in_words(seconds) == words
