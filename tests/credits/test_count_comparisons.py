"""How many decisions were compared is counted without a row that every authorize waits for (spec 05, Shadow mode)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from apps.credits.services.comparisons import Tally

NOW = datetime(2026, 4, 3, 23, 59, 58, tzinfo=UTC)
RED, BLUE = uuid.uuid4(), uuid.uuid4()


def seconds(count: float) -> datetime:
    return NOW + timedelta(seconds=count)


def test_it_writes_at_once_and_then_every_few_seconds_by_product_and_day() -> None:
    tally, today = Tally(), NOW.date()
    assert tally.add(RED, NOW) == {(RED, today): 1}
    assert [tally.add(RED, seconds(1)), tally.add(BLUE, seconds(1.5)), tally.add(RED, seconds(4.9))] == [{}, {}, {}]
    tomorrow = today + timedelta(days=1)
    assert tally.add(RED, seconds(5)) == {(RED, today): 1, (BLUE, today): 1, (RED, tomorrow): 2}
    assert tally.add(RED, seconds(6)) == {}
    # A clock that was set back holds nothing up.
    assert tally.add(RED, seconds(1)) == {(RED, tomorrow): 1, (RED, today): 1}
    # A program that ends takes what is left, once.
    assert tally.add(BLUE, seconds(1.5)) == {}
    assert [tally.take(), tally.take()] == [{(BLUE, today): 1}, {}]


def test_no_comparison_is_lost_or_counted_twice_between_threads() -> None:
    tally = Tally()
    with ThreadPoolExecutor(8) as threads:
        written = list(
            threads.map(lambda number: tally.add(RED, NOW + number * timedelta(milliseconds=10)), range(4_000))
        )
    last = tally.add(RED, NOW + timedelta(days=1))
    assert sum(sum(counts.values()) for counts in [*written, last]) == 4_001
