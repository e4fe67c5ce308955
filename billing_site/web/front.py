"""The RSGI application that stands between granian and Django, so that no client can stop the others.

granian's own WSGI interface takes a thread as soon as the header is there, and the thread waits for the client's body.
Here the event loop waits: a thread gets a request with its whole body, and gives its whole answer away at once.
The event loop answers `/healthz` itself, so that a probe is answered when every thread is busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Callable, Iterable
from typing import IO, Any

import structlog
from django.http import HttpResponse

from apps.core.garbage import settle
from apps.core.health import alive
from apps.core.observability.answers import count_refusal
from apps.core.observability.requests import HEADER, begin_request, current_request_id
from apps.core.pages import answer_before_django
from apps.core.wire.problems import Problem
from apps.core.wire.security_headers import add_security_headers
from billing_site.web import limits
from billing_site.web.answers import Started, send
from billing_site.web.bodies import read_body
from billing_site.web.environs import environ_of
from billing_site.web.lanes import Call, Lane
from billing_site.web.refusals import BUSY, RefusedError
from billing_site.web.rsgi_types import HTTPProtocol, Scope
from billing_site.web.stalls import limit_stalls

log = structlog.get_logger(__name__)

HEALTH = "/healthz"
_READING = frozenset({"GET", "HEAD"})
_TICK_SECONDS = 0.25
_STOP_SECONDS = 2.0
# granian opens the file within milliseconds.
_KEEP_SECONDS = 10.0
Application = Callable[[dict[str, Any], Any], Any]


class Front:
    """Answers requests by the WSGI application, with so many threads in each worker."""

    def __init__(self, application: Application, *, threads: int) -> None:
        self._application = application
        self._requests = Lane(self._answer, threads=threads, most_waiting=limits.WAITING_REQUESTS)
        # granian listens only after `__rsgi_init__`. The second look finds who came in before the first.
        self._looks_for_stalls = 2

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        _allow_open_files()
        self._requests.start()
        self._tick()
        settle()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._requests.stop(_STOP_SECONDS)
        self._requests.wake_answered()
        loop.run_until_complete(asyncio.sleep(0))

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        if scope.path == HEALTH and scope.method in _READING:
            begin_request(scope.headers.get(HEADER) or "")
            _answer_now(scope, protocol, alive())
            return
        try:
            body = await read_body(scope.headers, protocol)
        except RefusedError as refusal:
            _refuse(scope, protocol, refusal.problem)
            return
        call = Call(scope, protocol, body, self._loop.create_future())
        self._requests.wake_answered()
        if not self._requests.put(call):
            _refuse(scope, protocol, BUSY)
            return
        # granian answers 500 for a coroutine that ends before its answer.
        await call.is_over

    def _tick(self) -> None:
        self._loop.call_later(_TICK_SECONDS, self._tick)
        if self._looks_for_stalls and limit_stalls():
            self._looks_for_stalls -= 1
        self._requests.wake_answered()
        for call in self._requests.take_late(limits.WAITING_SECONDS):
            _refuse(call.scope, call.protocol, BUSY)
            call.is_over.set_result(None)

    def _answer(self, call: Call) -> None:
        """In a thread: run the application and give its answer away."""
        with contextlib.ExitStack() as stack:
            if call.body is not None:
                stack.enter_context(call.body.file)
            started = Started()
            chunks: Iterable[bytes] = self._application(environ_of(call.scope, call.body), started)
            if hasattr(chunks, "close"):
                stack.callback(chunks.close)
            send(call.protocol, started, chunks, self._keep)

    def _keep(self, file: IO[bytes]) -> None:
        self._loop.call_soon_threadsafe(self._loop.call_later, _KEEP_SECONDS, file.close)


def _refuse(scope: Scope, protocol: HTTPProtocol, problem: Problem) -> None:
    begin_request(scope.headers.get(HEADER) or "")
    count_refusal(scope.method, problem.status)
    log.warning("request_refused", method=scope.method, path=scope.path, status=problem.status, code=problem.code)
    _answer_now(scope, protocol, answer_before_django(scope.path, problem))


def _answer_now(scope: Scope, protocol: HTTPProtocol, answer: HttpResponse) -> None:
    answer.headers[HEADER] = current_request_id()
    add_security_headers(scope.path, answer)
    content = b"" if scope.method == "HEAD" else answer.content
    protocol.response_bytes(answer.status_code, list(answer.items()), content)


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = limits.OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, limits.OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
