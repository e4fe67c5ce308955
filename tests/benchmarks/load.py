"""A closed-loop HTTP client of one thread: bytes out, a status back. The same for both sides of every ratio."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_CHUNK = 1 << 20
_PATIENCE_SECONDS = 60
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(slots=True)
class Round:
    """What came back in one round."""

    seconds: float
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return sum(self.statuses.values()) / self.seconds

    def only(self, *expected: int) -> Round:
        """The same, or an error where anything else was answered: a refusal is quick and would flatter a figure."""
        if set(self.statuses) - set(expected):
            raise RuntimeError(f"The server answered {self.statuses}; {expected} was expected.")
        return self


def request_bytes(path: str, body: bytes, token: str = "", *, method: str = "POST") -> bytes:
    """One HTTP request on a connection that stays."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    if body:
        head.append("Content-Type: application/json")
    if token:
        head.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*head, "", ""]).encode() + body


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""
        self._missing = 0

    def send(self, request: bytes) -> None:
        self._got, self._missing = b"", 0
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the whole answer is here."""
        chunk = self.socket.recv(_CHUNK)
        if not chunk:
            raise ConnectionError("The server closed the connection.")
        self._got += chunk
        if not self._missing:
            end = self._got.find(_END_OF_HEAD)
            if end < 0:
                return None
            head = self._got[:end].lower()
            if _LENGTH not in head:  # sent in chunks, the last one empty
                return int(self._got[9:12]) if self._got.endswith(b"\r\n0\r\n\r\n") else None
            length = head.partition(_LENGTH)[2].partition(b"\r\n")[0]
            self._missing = end + len(_END_OF_HEAD) + int(length)
        return int(self._got[9:12]) if len(self._got) >= self._missing else None


def run(
    port: int, seconds: float, connections: int, next_request: Callable[[], bytes], *, to_the_end: bool = False
) -> Round:
    """Keep so many connections busy for so long, and until the first answer, so that every rate is above zero.

    `to_the_end` counts what is answered afterwards, with its time.
    """
    selector = selectors.DefaultSelector()
    opened = [_Connection(port) for _ in range(connections)]
    statuses: dict[int, int] = {}
    try:
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(next_request())
        started = now = time.perf_counter()
        while now - started < seconds or (not statuses and now - started < _PATIENCE_SECONDS):
            for key, _ in selector.select(1.0):
                status = key.data.receive()
                if status is not None:
                    statuses[status] = statuses.get(status, 0) + 1
                    key.data.send(next_request())
            now = time.perf_counter()
        ended = now
    finally:
        for connection in opened:
            connection.socket.settimeout(30)
            status = _finish(connection)
            if to_the_end:
                statuses[status] = statuses.get(status, 0) + 1
                ended = time.perf_counter()
            connection.socket.close()
        selector.close()
    return Round(ended - started, statuses)


def _finish(connection: _Connection) -> int:
    """Wait for what is still under way, so that it does not weigh on the next round; its status."""
    while (status := connection.receive()) is None:
        pass
    return status
