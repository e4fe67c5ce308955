"""The one place that reads the time.

Domain code takes the moment as an argument, or asks `now()`; nothing else reads a clock (an architecture test holds
this), so that any moment can be replayed. Sample data and the jobs of skipped time alone are told as of another moment
(a test holds that too).

In development the test clock (`manage.py clock`) may be ahead of real time: `now()` follows it in every process.
Leases, retries, timeouts, signatures and sessions ask `real_now()`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import Error

logger = logging.getLogger(__name__)

_told: ContextVar[datetime | None] = ContextVar("told_moment", default=None)
_ZERO = timedelta(0)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shift:
    """How far the test clock is ahead: by `ahead` from `since` on, in real time; until then by `before`."""

    ahead: timedelta = _ZERO
    before: timedelta = _ZERO
    since: datetime = _ALWAYS

    def at(self, moment: datetime) -> timedelta:
        """How far it is ahead at the real moment."""
        return self.ahead if moment >= self.since else self.before


class Follower:
    """Knows the shift, and looks again after a second. The shift is announced longer before it counts, so that all
    processes change at once. A database that is away changes nothing."""

    LOOKS_EVERY = 1.0

    def __init__(self, read: Callable[[], Shift]) -> None:
        self._read = read
        self._shift = Shift()
        self._looked_at: float | None = None

    def ahead(self, moment: datetime) -> timedelta:
        """How far the test clock is ahead at the real moment."""
        if self._looked_at is None or time.monotonic() - self._looked_at >= self.LOOKS_EVERY:
            self._looked_at = time.monotonic()
            try:
                self._shift = self._read()
            except (Error, OSError):  # asking the time fails nobody
                logger.debug("test_clock_unread", exc_info=True)
        return self._shift.at(moment)


_follower: Follower | None = None


def follow(read: Callable[[], Shift] | None) -> None:
    """From now on be ahead as `read` says; None: never. Set once, when a process of a development begins."""
    global _follower  # noqa: PLW0603 - one clock a process
    _follower = Follower(read) if read is not None else None


def real_now() -> datetime:
    """The current moment outside, aware, in UTC; whatever the test clock says."""
    return datetime.now(UTC)


def ahead() -> timedelta:
    """How far the test clock is ahead of real time; zero where there is none."""
    return _follower.ahead(real_now()) if _follower is not None else _ZERO


def now() -> datetime:
    """The current moment, aware, in UTC."""
    told = _told.get()
    if told is not None:
        return told
    moment = datetime.now(UTC)
    return moment if _follower is None else moment + _follower.ahead(moment)


@contextmanager
def as_of(moment: datetime) -> Iterator[None]:
    """Within the block it is `moment`, for this thread alone."""
    token = _told.set(moment)
    try:
        yield
    finally:
        _told.reset(token)
