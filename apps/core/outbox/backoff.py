"""When a failed call is tried again. Pure."""

from __future__ import annotations

from datetime import timedelta

MAX_ATTEMPTS = 12
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=2)


def retry_delay(attempts: int, *, jitter: float, wish_seconds: int | None = None) -> timedelta:
    """How long to wait after try number `attempts` (1 or more) failed.

    Doubles from 30 seconds to two hours, so that the twelve tries span about nine hours. `jitter` (0 to 1) takes up to
    half of that off again, so that the calls that failed together do not return together. A provider's own wish is
    granted when it is longer, up to the longest delay.
    """
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter is {jitter}; it lies between 0 and 1.")
    # The exponent is capped, so that no number of attempts overflows a timedelta.
    doublings: int = 1 << min(attempts - 1, 16)
    full = min(_LONGEST_DELAY, _FIRST_DELAY * doublings)
    delay = full - full * (jitter / 2)
    if wish_seconds is None:
        return delay
    return max(delay, min(timedelta(seconds=wish_seconds), _LONGEST_DELAY))
