"""Limits how many bad tokens one address may try. Per process, in memory: a token has 256 random bits."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
BAD_TOKENS_A_WINDOW = 30
ADDRESSES_AT_MOST = 10_000


class BadTokenLimit:
    """A sliding window of failures by address."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def seconds_to_wait(self, address: str, now: datetime) -> int:
        """0 when the address may try; else the whole seconds until its oldest failure leaves the window."""
        with self._lock:
            failures = self._current(address, now)
            if len(failures) < BAD_TOKENS_A_WINDOW:
                return 0
            return (failures[0] + WINDOW - now) // timedelta(seconds=1) + 1

    def note_failure(self, address: str, now: datetime) -> None:
        """Count one bad token."""
        with self._lock:
            if len(self._failures) >= ADDRESSES_AT_MOST:
                self._failures.clear()
            failures = self._current(address, now)
            failures.append(now)
            self._failures[address] = failures

    def clear(self) -> None:
        """Forget every failure."""
        with self._lock:
            self._failures.clear()

    def _current(self, address: str, now: datetime) -> deque[datetime]:
        failures = self._failures.get(address, deque())
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        return failures
