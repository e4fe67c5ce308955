"""The one place that reads the time.

Domain code takes the moment as an argument, or asks `now()`; nothing else reads a clock (an architecture test holds
this), so that any moment can be replayed.
"""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)
