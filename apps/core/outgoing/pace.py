"""How often one host is called from this process: a rate of our own, whatever the host would bear (spec 06)."""

from __future__ import annotations

import time
from threading import Lock

from django.conf import settings

_MOST_HOSTS = 10_000


class Pace:
    """Spaces the calls to each host evenly. Safe between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._free_at: dict[str, float] = {}

    def wait_for(self, host: str, now: float, *, per_second: int) -> float:
        """Take the host's next place; returns the seconds until it comes."""
        with self._lock:
            if len(self._free_at) > _MOST_HOSTS:
                self._free_at = {name: at for name, at in self._free_at.items() if at > now}
            at = max(now, self._free_at.get(host, now))
            self._free_at[host] = at + 1 / per_second
            return at - now


_PACE = Pace()


def keep_pace(host: str) -> None:
    """Wait until the host may be called again."""
    per_second: int = settings.OUTBOUND_CALLS_PER_SECOND
    if per_second and (wait := _PACE.wait_for(host, time.monotonic(), per_second=per_second)):
        time.sleep(wait)
