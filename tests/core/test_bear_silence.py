"""No thread waits for ever for a server that stays silent (spec 11, P14)."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import InternalError, OperationalError, connection

from apps.core.statements import fetch_all
from apps.core.wire.problems import problem_of
from tests.core.elsewhere import elsewhere, run

pytestmark = pytest.mark.django_db(transaction=True)


class Valve:
    """Stands before the server and hands everything on until it is shut; then it swallows everything."""

    def __init__(self, target: str) -> None:
        self.is_shut = threading.Event()
        self._target = target
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for opened in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not self.is_shut.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def valve() -> Iterator[Valve]:
    valve = Valve(f"{connection.settings_dict['OPTIONS']['host']}/.s.PGSQL.5432")
    with elsewhere(HOST="127.0.0.1", PORT=str(valve.port)):
        yield valve
    valve.close()


ASKED: dict[str, Callable[[], object]] = {
    "Django's cursor": lambda: run("SELECT 1"),
    "a hot statement": lambda: fetch_all("SELECT $1", ("x",)),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.slow
def test_no_thread_waits_for_ever_for_a_server_that_says_nothing(valve: Valve, asked: str) -> None:
    ASKED[asked]()
    connection.connection.longest_wait = 1.0
    valve.is_shut.set()
    started = time.monotonic()
    with pytest.raises(OperationalError) as silent:
        ASKED[asked]()
    assert time.monotonic() - started < 6
    assert problem_of(silent.value).status == 503
    valve.is_shut.clear()
    ASKED[asked]()


@pytest.mark.slow
def test_control_without_the_watchdog_it_would_wait(valve: Valve) -> None:
    run("SELECT 1")
    connection.connection.longest_wait = None
    valve.is_shut.set()
    outcome: list[object] = []
    raw = connection.connection

    def ask() -> None:
        with contextlib.suppress(psycopg.Error):
            outcome.append(raw.execute("SELECT 1"))

    waiting = threading.Thread(target=ask, daemon=True)
    waiting.start()
    waiting.join(3)
    assert waiting.is_alive()
    assert outcome == []
    valve.close()  # the connection ends, and the wait with it
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_session_that_may_only_read_is_replaced_before_the_next_request() -> None:
    """As after a failover, when a server goes on as a standby: it answers, and takes nothing."""
    run("SET default_transaction_read_only = on")
    with pytest.raises(InternalError, match="read-only"):
        run("DELETE FROM tenants_product")
    before = connection.connection
    connection.close_if_unusable_or_obsolete()  # Django does this at the end of each request and task
    run("DELETE FROM tenants_product")
    assert connection.connection is not before


def test_a_connection_that_broke_is_replaced_at_its_next_use_outside_a_transaction() -> None:
    run("SELECT 1")
    connection.connection.pgconn.finish()
    run("SELECT 1")
    assert fetch_all("SELECT $1", ("x",)) == [("x",)]
