"""The request id: one name for everything that a request causes, in logs, problem documents, audit and tasks.

A well-formed `X-Request-ID` of the caller is taken over, anything else is replaced; the answer carries it back. It is
bound to structlog's context, from which tasks inherit it.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from apps.core.ids import RequestId

HEADER = "X-Request-ID"
_IN_META = "HTTP_X_REQUEST_ID"
WELL_FORMED = r"[A-Za-z0-9._-]{8,64}"
_WELL_FORMED = re.compile(WELL_FORMED, re.ASCII)
# Asked for every few seconds by machines; a line for each would bury the others.
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

log = structlog.get_logger(__name__)


def current_request_id() -> RequestId:
    """The id of the request, task or command that runs now; made and bound where there is none yet."""
    bound = structlog.contextvars.get_contextvars().get("request_id")
    if isinstance(bound, str):
        return RequestId(bound)
    made = new_request_id()
    structlog.contextvars.bind_contextvars(request_id=made)
    return made


def new_request_id() -> RequestId:
    """A fresh id."""
    return RequestId(uuid.uuid4().hex)


def begin_request(given: str) -> RequestId:
    """Bind the caller's id if it is well formed, else a fresh one, and nothing of the request before."""
    request_id = RequestId(given) if _WELL_FORMED.fullmatch(given) else new_request_id()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    return request_id


class RequestIdMiddleware:
    """Stands first, so that whatever a later middleware logs carries the id. Logs one line for each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = begin_request(request.META.get(_IN_META, ""))  # `headers` would parse them all
        started = time.perf_counter_ns()
        try:
            response = self._get_response(request)
            response.headers[HEADER] = request_id
            if request.path not in QUIET_PATHS:
                log.info(
                    "request_finished",
                    method=request.method,
                    path=request.path,
                    status=response.status_code,
                    duration_ms=(time.perf_counter_ns() - started) // 1_000_000,
                )
            return response
        finally:
            structlog.contextvars.clear_contextvars()
