"""The rate limit of the internal API: a guard against a caller's runaway loop, not a quota.

Counted in the memory of each web process, for each token (or signed-in user, or address), in fixed windows of a minute.
`API_RATE_LIMIT_PER_MINUTE` sets it, 0 switches it off. Guessing of tokens is limited where tokens are checked.
"""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.core import clock
from apps.core.wire.client_address import client_address

if TYPE_CHECKING:
    # At run time DRF loads this module while it is making that very class.
    from rest_framework.views import APIView

_WINDOW_SECONDS = 60


class WindowCounts:
    """How often each caller came in the current window. Safe between threads; holds one window at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def count(self, caller: str, window: int) -> int:
        """Count one more, and say how many there are now."""
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            self._counts[caller] = self._counts.get(caller, 0) + 1
            return self._counts[caller]


_COUNTS = WindowCounts()


class CallerThrottle(BaseThrottle):
    """Refuses what goes over the limit until the window ends; the answer is 429 with Retry-After."""

    _seconds_left = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        limit: int = settings.API_RATE_LIMIT_PER_MINUTE
        if limit == 0:
            return True
        moment = clock.real_now().timestamp()
        window = int(moment // _WINDOW_SECONDS)
        self._seconds_left = (window + 1) * _WINDOW_SECONDS - moment
        return _COUNTS.count(caller_key(request), window) <= limit

    def wait(self) -> float:
        return self._seconds_left


def caller_key(request: Request) -> str:
    """Who is counted. A token is kept as a hash only, so that no dump of memory or log holds it."""
    # Not `headers`: it would parse them all, for each call of the hot path.
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header:
        return hashlib.sha256(header.encode("utf-8", "surrogateescape")).hexdigest()
    user = getattr(request.user, "pk", None)
    return f"user:{user}" if user else f"address:{client_address(request)}"
