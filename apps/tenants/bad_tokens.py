"""Counts bad service tokens, so that a flood of them is slowed. Never asked about a token that is good.

Per process, in memory: a token has 256 random bits, so the limit guards our time, not the token.
"""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
BAD_TOKENS_A_WINDOW = 30
# All addresses together: a flood may come from many.
BAD_TOKENS_IN_ALL = 600
ADDRESSES_AT_MOST = 10_000
_ALL = ""


class BadTokenLimit:
    """A sliding window of failures, by address and for all addresses together. Safe between threads."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def is_flooded(self, address: str, now: datetime) -> bool:
        """Whether so many bad tokens came, from the address or in all, that more of them deserve no query each."""
        with self._lock:
            return self._is_full(address, now, BAD_TOKENS_A_WINDOW) or self._is_full(_ALL, now, BAD_TOKENS_IN_ALL)

    def note_failure(self, address: str, now: datetime) -> int:
        """Count one bad token. 0 while the address is below its limit; else the seconds until it is again."""
        with self._lock:
            self._note(_ALL, now, BAD_TOKENS_IN_ALL)
            if self._note(address, now, BAD_TOKENS_A_WINDOW):
                return 0
            return (self._failures[address][0] + WINDOW - now) // timedelta(seconds=1) + 1

    def clear(self) -> None:
        with self._lock:
            self._failures.clear()

    def _is_full(self, address: str, now: datetime, limit: int) -> bool:
        return len(self._current(address, now)) >= limit

    def _note(self, address: str, now: datetime, limit: int) -> bool:
        """Add the failure where there is room. What comes above the limit is not kept: it would only take memory."""
        if address not in self._failures and len(self._failures) >= ADDRESSES_AT_MOST:
            self._failures = {_ALL: self._failures[_ALL]}
        failures = self._current(address, now)
        self._failures[address] = failures
        if len(failures) >= limit:
            return False
        failures.append(now)
        return True

    def _current(self, address: str, now: datetime) -> deque[datetime]:
        failures = self._failures.get(address, deque())
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        return failures
