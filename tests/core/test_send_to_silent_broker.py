"""A request that wakes a worker does not wait for a broker that says nothing, at whatever point it falls silent."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from celery import Celery

from apps.core.wakeups import end_silence, send_wakeup
from apps.payments.inbox import PROCESS_TASK

_PATIENCE_SECONDS = 60


def _method(class_id: int, method_id: int, arguments: bytes) -> bytes:
    """A frame of AMQP 0-9-1 on the channel of the connection."""
    payload = struct.pack(">HH", class_id, method_id) + arguments
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


def _long(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


# What RabbitMQ says at connecting, each after something that the client sent: start, tune, open-ok.
GREETING = (
    _method(10, 10, bytes([0, 9]) + _long(b"") + _long(b"PLAIN AMQPLAIN") + _long(b"en_US")),
    _method(10, 30, struct.pack(">HIH", 2_047, 131_072, 0)),
    _method(10, 41, bytes([0])),
)


class Broker:
    """Takes connections, says so much to each, and nothing more."""

    def __init__(self, scheme: str, words: tuple[bytes, ...]) -> None:
        self._words = words
        self._taken: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}//"
        threading.Thread(target=self._take, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._taken):
            one.close()

    def _take(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            self._taken.append(taken)
            for words in self._words:
                if taken.recv(65_536):
                    taken.sendall(words)


@pytest.fixture(
    params=[("redis", ()), *(("amqp", GREETING[:said]) for said in range(len(GREETING) + 1))],
    ids=["Redis", *(f"RabbitMQ after {said} words" for said in range(len(GREETING) + 1))],
)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    broker = Broker(*request.param)
    yield broker
    broker.close()
    end_silence()


@pytest.mark.slow
def test_what_is_not_taken_is_lost_and_the_request_goes_on(broker: Broker) -> None:
    app = Celery("silent", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.broker_url = broker.url
    outcome: list[bool] = []

    def ask() -> None:
        app.set_current()  # of this thread
        outcome.append(send_wakeup(PROCESS_TASK, "0192aaaa-0000-7000-8000-000000000000"))

    waiting = threading.Thread(target=ask, daemon=True)
    waiting.start()
    waiting.join(_PATIENCE_SECONDS)
    assert outcome == [False]
