"""Neither a wake-up nor `/readyz` waits for a broker that says nothing, at whatever point it falls silent."""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from celery import Celery
from django.test import RequestFactory

from apps.core import wakeups
from apps.core.health import readyz
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


# Each takes connections and falls silent after so many words.
BROKERS = {"Redis": ("redis", ()), **{f"RabbitMQ after {n}": ("amqp", GREETING[:n]) for n in range(len(GREETING) + 1)}}


def is_ready() -> bool:
    """What `/readyz` says of the broker."""
    answer = json.loads(readyz(RequestFactory().get("/readyz")).content)
    return any(check == {"name": "broker", "status": "ok"} for check in answer["checks"])


ASKED: dict[str, Callable[[], bool]] = {
    "wake-up": lambda: wakeups.send_wakeup(PROCESS_TASK, "0192aaaa-0000-7000-8000-000000000000"),
    "readiness": is_ready,
}


@pytest.fixture
def brokers() -> Iterator[dict[str, Broker]]:
    brokers = {name: Broker(*silent) for name, silent in BROKERS.items()}
    yield brokers
    for broker in brokers.values():
        broker.close()


@pytest.mark.slow
def test_who_asks_is_told_no_and_goes_on(brokers: dict[str, Broker], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups._silence, "begin", lambda: None)  # each is really asked
    outcomes: dict[tuple[str, str], bool] = {}

    def ask(name: str, asked: str) -> None:
        app = Celery("silent", set_as_current=False)
        app.config_from_object("django.conf:settings", namespace="CELERY")
        app.conf.broker_url = brokers[name].url
        app.set_current()  # of this thread
        outcomes[name, asked] = ASKED[asked]()

    every = list(itertools.product(brokers, ASKED))
    waiting = [threading.Thread(target=ask, args=each, daemon=True) for each in every]
    for thread in waiting:
        thread.start()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for thread in waiting:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert outcomes == dict.fromkeys(every, False)
