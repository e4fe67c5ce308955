"""No client holds a thread: neither by what it does not send, nor by what it does not read; and waiting has an end."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from apps.core.wire.security_headers import POLICY_OF_DATA
from tests.faults.stacks import wait_until
from tests.web.servers import ECHO_THREADS, ask, connect, head, read_answer

pytestmark = pytest.mark.faults

SILENT = {
    "nothing": b"",
    "half a header": b"POST / HTTP/1.1\r\nHost: h\r\nX-A: ",
    "a body of one byte": head("POST /", Content_Length="1000") + b"x",
    "half of a large body": head("POST /", Content_Length="2000000") + b"x" * 1_000_000,
    "half a chunk": head("POST /", Transfer_Encoding="chunked") + b"5\r\nhel",
    "chunks without an end": head("POST /", Transfer_Encoding="chunked") + b"5\r\nhello\r\n",
    "no body after asking": head("POST /", Content_Length="1000", Expect="100-continue"),
    "a large answer unread": head("GET /?pieces=6000"),
    "a large file unread": head("GET /?file=6000000"),
    "many answers unread": head("GET /?pieces=500") * 12,
}
MANY = 10 * ECHO_THREADS


@pytest.mark.parametrize("name", SILENT)
def test_others_are_answered_meanwhile(port: int, name: str) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            connection = stack.enter_context(connect(port, receive_buffer=4096))
            connection.sendall(SILENT[name])
        for _ in range(MANY):
            assert ask(port, head("GET /")).status == 200


CONTROLS = ["a body of one byte", "half a chunk", "a large answer unread"]


@pytest.mark.parametrize("name", CONTROLS)
def test_the_wsgi_interface_alone_would_be_held_up(holdable_port: int, name: str) -> None:
    """The negative control: the same clients, without the front."""
    with ExitStack() as stack:
        for _ in range(MANY):
            connection = stack.enter_context(connect(holdable_port, receive_buffer=4096))
            connection.sendall(SILENT[name])
        wait_until(lambda: not _answers_within(holdable_port, 2))


def _answers_within(port: int, seconds: float) -> bool:
    with connect(port) as connection:
        connection.sendall(head("GET /"))
        connection.settimeout(seconds)
        try:
            return bool(connection.recv(1))
        except TimeoutError:
            return False


TIMED_OUT = [name for name in SILENT if "body" in name or "chunk" in name]


@pytest.mark.parametrize("name", TIMED_OUT)
def test_a_body_that_does_not_come_ends_with_408(port: int, name: str) -> None:
    answer = _last_answer(port, SILENT[name].replace(b"POST /", b"POST /api/x"))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body_too_slow"


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HTTP/1.1\r\nHost: h\r\nX-A: ", head("GET /")], ids=["", "header", "idle"]
)
def test_a_connection_without_a_request_is_closed(port: int, sent: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(sent)
        if sent.endswith(b"\r\n\r\n"):
            assert read_answer(connection).status == 200
        assert _rest(connection) == b""


@pytest.mark.parametrize("asked_before", [0, 1])
def test_a_connection_whose_reader_takes_nothing_is_closed(fresh_port: int, asked_before: int) -> None:
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        pytest.skip("Linux alone can limit it.")
    for _ in range(asked_before):
        assert ask(fresh_port, head("GET /")).status == 200
    with connect(fresh_port, receive_buffer=4096) as connection:
        connection.sendall(head("GET /?pieces=6000"))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        assert _server_has(connection)
        wait_until(lambda: not _server_has(connection))


def test_health_is_answered_while_every_thread_is_busy(port: int) -> None:
    with ThreadPoolExecutor(ECHO_THREADS) as clients:
        busy = [clients.submit(ask, port, head("GET /?sleep=2")) for _ in range(ECHO_THREADS)]
        for _ in range(20):
            assert ask(port, head("GET /healthz")).status == 200
        assert not any(one.done() for one in busy)
        assert [one.result().status for one in busy] == [200] * ECHO_THREADS


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_answer_about_health_is_like_every_other(port: int, method: str) -> None:
    answer = ask(port, head(f"{method} /healthz", X_Request_ID="probe-0001"), method)
    assert (answer.status, answer.body) == (200, b'{"status": "alive"}' if method == "GET" else b"")
    assert answer.headers["X-Request-ID"] == "probe-0001"
    assert answer.headers["Content-Security-Policy"] == POLICY_OF_DATA
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_the_front_refuses_has_every_security_header(crowded_port: int) -> None:
    asked = head("GET /api/x", Content_Length=str(2**40), X_Request_ID="refused-0001")
    answer = ask(crowded_port, asked)
    assert (answer.status, json.loads(answer.body)["request_id"]) == (413, "refused-0001")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == POLICY_OF_DATA


def test_a_request_that_waits_too_long_is_told_to_come_back(hasty_port: int) -> None:
    with ThreadPoolExecutor(ECHO_THREADS + 5) as clients:
        busy = [clients.submit(ask, hasty_port, head("GET /?sleep=4")) for _ in range(ECHO_THREADS)]
        wait_until(lambda: ask(hasty_port, head("GET /api/held")).status == 503)
        answers = [clients.submit(ask, hasty_port, head("GET /api/x")) for _ in range(5)]
        for answer in (one.result() for one in answers):
            assert (answer.status, json.loads(answer.body)["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert [one.result().status for one in busy] == [200] * ECHO_THREADS
    assert ask(hasty_port, head("GET /")).status == 200


def test_a_request_that_finds_too_many_waiting_is_told_to_come_back_at_once(crowded_port: int) -> None:
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(lambda _: ask(crowded_port, head("GET /?sleep=0.5")), range(50)))
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.status for answer in answers} == {200, 503}
    assert all(answer.headers["Retry-After"] for answer in refused)
    assert ask(crowded_port, head("GET /")).status == 200


def _last_answer(port: int, sent: bytes) -> bytes:
    with connect(port) as connection:
        connection.sendall(sent)
        return _rest(connection).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")


def _rest(connection: socket.socket) -> bytes:
    """What still comes, until the server closes the connection."""
    text = b""
    while piece := connection.recv(65536):
        text += piece
    return text


def _server_has(connection: socket.socket) -> bool:
    """Whether the kernel still has the server's end of the connection."""
    server, client = (f":{end[1]:04X}" for end in (connection.getpeername(), connection.getsockname()))
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    ends = [line.split()[1:3] for line in lines]
    return any(local.endswith(server) and remote.endswith(client) for local, remote in ends)
