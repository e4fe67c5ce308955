"""The one place that reads the time.

Domain code takes the moment as an argument, or asks `now()`; nothing else reads a clock (an architecture test holds
this), so that any moment can be replayed. Sample data alone is told as of an earlier moment (a test holds that too).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_told: ContextVar[datetime | None] = ContextVar("told_moment", default=None)


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return _told.get() or datetime.now(UTC)


@contextmanager
def as_of(moment: datetime) -> Iterator[None]:
    """Within the block it is `moment`, for this thread alone: for sample data that is to look weeks old."""
    token = _told.set(moment)
    try:
        yield
    finally:
        _told.reset(token)
