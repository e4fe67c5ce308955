"""Counts how many decisions of a product were compared with ours: what the drift page divides by (spec 05).

A row that every authorize wrote would make them wait for each other. So each process counts by itself, and writes what
it counted with a comparison, every few seconds. What it has not written when it ends is not counted, unless it calls
`comparisons_write` before.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.bookkeeping import bookkeeping

_WRITTEN_EVERY = timedelta(seconds=5)
_ADD = """
INSERT INTO credits_shadowcomparison AS c (product_id, day, compared)
SELECT * FROM unnest(%s::uuid[], %s::date[], %s::bigint[])
ON CONFLICT (product_id, day) DO UPDATE SET compared = c.compared + EXCLUDED.compared
"""


class Tally:
    """What this process has counted and not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[UUID, date]] = Counter()
        self._written_at: datetime | None = None

    def add(self, product_id: UUID, now: datetime) -> dict[tuple[UUID, date], int]:
        """Count one; returns what is to be written now, which is most times nothing."""
        with self._lock:
            self._counts[product_id, now.astimezone(UTC).date()] += 1
            last = self._written_at
            if last is not None and last <= now < last + _WRITTEN_EVERY:
                return {}
            self._written_at = now
            return self._taken()

    def take(self) -> dict[tuple[UUID, date], int]:
        """All that is not written yet."""
        with self._lock:
            return self._taken()

    def _taken(self) -> dict[tuple[UUID, date], int]:
        taken = dict(self._counts)
        self._counts.clear()
        return taken


_tally = Tally()


def comparison_count(product_id: UUID, now: datetime) -> None:
    """Count one decision that was compared."""
    _write(_tally.add(product_id, now))


def comparisons_write() -> None:
    """Write what this process has counted and not written yet, for a program that ends after a few decisions."""
    _write(_tally.take())


def _write(counts: dict[tuple[UUID, date], int]) -> None:
    if counts:
        # In one order, so that two processes don't wait for each other's rows.
        keys = sorted(counts)
        values: list[Any] = [[key[0] for key in keys], [key[1] for key in keys], [counts[key] for key in keys]]
        with bookkeeping(), connection.cursor() as cursor:
            cursor.execute(_ADD, values)
