"""What a request is told that never reaches Django."""

from __future__ import annotations

from apps.core.wire.problems import BAD_REQUEST, Problem
from billing_site.web import limits


class RefusedError(Exception):
    """The request is answered with this problem, and nothing of it is done."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


TOO_LARGE = Problem(
    413,
    "too_large",
    "The body is too large",
    f"The body is over {limits.LARGEST_BODY} bytes. Send it in several requests.",
)
TOO_SLOW = Problem(
    408,
    "body_too_slow",
    "The body did not arrive",
    f"The body did not arrive in full within {limits.BODY_SECONDS} s. Nothing was done; send the request again.",
)
BROKEN_OFF = Problem(
    400,
    BAD_REQUEST.code,
    BAD_REQUEST.title,
    "The body broke off before its end, or has trailers. Nothing was done; send the request again, without trailers.",
)
BUSY = Problem(
    503,
    "unavailable",
    "Temporarily unavailable",
    "Too many requests are waiting. Nothing of this one was done; try it again.",
    headers={"Retry-After": str(limits.RETRY_AFTER_SECONDS)},
)
