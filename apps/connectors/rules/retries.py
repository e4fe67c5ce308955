"""When a page that could not be read is tried again (spec 06, Sync run). Pure."""

from __future__ import annotations

from datetime import timedelta

MAX_TRIES = 6
FAILURES_IN_A_ROW = 10
_FIRST = timedelta(seconds=2)
_LONGEST = timedelta(minutes=15)
# A provider that asks for more is asked again after this, and may refuse again.
_LONGEST_WISH = timedelta(hours=24)


def page_delay(tries: int, *, jitter: float, wish: timedelta | None = None) -> timedelta:
    """How long to wait after try number `tries` (1 or more) of a page failed.

    Doubles from 2 seconds to 15 minutes; `jitter` (0 to 1) takes up to half of that off, so that the calls that failed
    together do not return together. What the provider wished for (Retry-After) is never undercut, up to a day.
    """
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter is {jitter}; it lies between 0 and 1.")
    # The exponent is capped, so that no number of tries overflows a timedelta.
    doublings: int = 1 << min(max(tries, 1) - 1, 16)
    full = min(_LONGEST, _FIRST * doublings)
    delay = full - full * (jitter / 2)
    return delay if wish is None else max(delay, min(wish, _LONGEST_WISH))
