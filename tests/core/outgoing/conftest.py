"""A network whose names resolve as the tests say and whose sockets are counted, and a server that does as told."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.core.outgoing.hostile import RESOLVING
from tests.http_server import QuietHandler, serve

REAL_GETADDRINFO = socket.getaddrinfo


@dataclass
class Network:
    """What was resolved and what was connected to. `names` may be changed by a test."""

    names: dict[str, list[str]] = field(default_factory=lambda: dict(RESOLVING))
    lookups: list[str] = field(default_factory=list)
    connects: list[Any] = field(default_factory=list)
    on_lookup: Callable[[str], None] = lambda host: None

    def resolve(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        self.lookups.append(str(host))
        if str(host) not in self.names:
            return REAL_GETADDRINFO(host, port, *args, **kwargs)
        addresses = list(self.names[str(host)])
        self.on_lookup(str(host))
        if not addresses:
            raise socket.gaierror("no address")
        return [_entry(address, port) for address in addresses]


def _entry(address: str, port: int) -> tuple[Any, ...]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = (address, port, 0, 0) if ":" in address else (address, port)
    return family, socket.SOCK_STREAM, 6, "", where


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """Spies on every socket: it notes where each would connect to, and lets only those to this machine through."""
    spied, connect = Network(), socket.socket.connect

    def noting(self: socket.socket, address: Any) -> None:
        spied.connects.append(address)
        if address[0] not in {"127.0.0.1", "::1"}:
            raise ConnectionRefusedError("the tests have no internet")
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", spied.resolve)
    monkeypatch.setattr(socket.socket, "connect", noting)
    monkeypatch.setattr("apps.core.outgoing.calls._ATTEMPTS", 1)
    return spied


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """A web server of this machine. `replies` are given in turn, the last one for ever."""

    port: int = 0
    replies: list[Reply] = field(default_factory=lambda: [(200, {}, b"hello")])
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    drip_seconds: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            told.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            status, headers, body = told.replies.pop(0) if len(told.replies) > 1 else told.replies[0]
            self.send_response(status)
            told_headers = {"Content-Length": str(len(body)), **headers}
            if "Transfer-Encoding" in headers:
                told_headers = {}  # the end of the connection is the end of the body
            for name, value in told_headers.items():
                self.send_header(name, value)
            self.end_headers()
            _give(self, body, told.drip_seconds)

    with serve(Handler) as port:
        told.port = port
        yield told


def _give(handler: BaseHTTPRequestHandler, body: bytes, drip_seconds: int) -> None:
    try:
        if not drip_seconds:
            handler.wfile.write(body)
            return
        for byte in body:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        return  # the other side has had enough
