"""A queue of complete requests, and the threads that answer them one after the other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

import structlog
from django.db import connections

from billing_site.web.bodies import Body
from billing_site.web.rsgi_types import HTTPProtocol, Scope

log = structlog.get_logger(__name__)

_PLAIN: list[tuple[str, str]] = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]


class Call:
    """One complete request on its way to a thread. `is_over` resolves some time after its answer was given away."""

    __slots__ = ("body", "is_over", "protocol", "scope")

    def __init__(self, scope: Scope, protocol: HTTPProtocol, body: Body | None, is_over: asyncio.Future[None]) -> None:
        self.scope = scope
        self.protocol = protocol
        self.body = body
        self.is_over = is_over


class Lane:
    """So many threads for one kind of requests. A call that has waited too long is taken out again.

    Whoever removes a call from `_waiting` has it: a thread, or the event loop that refuses it.
    """

    def __init__(self, answer: Callable[[Call], None], *, threads: int, most_waiting: int) -> None:
        self._answer = answer
        self._most_waiting = most_waiting
        self._queue: SimpleQueue[Call | None] = SimpleQueue()
        self._waiting: dict[Call, float] = {}
        self._answered: deque[Call] = deque()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, call: Call) -> bool:
        """Queue the call; False where too many wait already."""
        if len(self._waiting) >= self._most_waiting:
            return False
        self._waiting[call] = time.monotonic()
        self._queue.put(call)
        return True

    def take_late(self, seconds: float) -> list[Call]:
        """Take out what has waited longer than that."""
        bound = time.monotonic() - seconds
        late = []
        for call, since in list(self._waiting.items()):  # in the order of their arrival
            if since > bound:
                break
            if self._waiting.pop(call, None) is not None:
                late.append(call)
        return late

    def wake_answered(self) -> None:
        """Tell the event loop which calls are over. Waking it for each would cost as much as the rest of the way."""
        while self._answered:
            call = self._answered.popleft()
            if not call.is_over.done():
                call.is_over.set_result(None)

    def stop(self, seconds: float) -> None:
        """Let the threads finish what they have."""
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            if self._waiting.pop(call, None) is None:
                continue
            try:
                self._answer(call)
            except BaseException:  # the thread must outlive whatever one request does
                log.exception("request_failed")
                call.protocol.response_bytes(500, _PLAIN, b"Something went wrong on our side.\n")
            self._answered.append(call)
        connections.close_all()
