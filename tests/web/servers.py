"""granian as the product runs it, with another application, and a client that writes bytes."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from billing_site.launcher.children import WEB_OPTIONS
from billing_site.launcher.places import PROJECT
from tests.faults.stacks import free_port, wait_until

PLAIN_OPTIONS = ("--interface=wsgi", "--blocking-threads=2", "--no-ws", "--no-access-log", "--workers-kill-timeout=1")
"""The negative control: a thread reads what the client sends, as long as that takes."""
ECHO_THREADS = 2
"""The threads of `tests.web.echo`."""
_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@contextmanager
def serving(
    application: str,
    log: Path,
    *,
    options: Sequence[str] = WEB_OPTIONS,
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Serve it on a port of this machine until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--host=127.0.0.1", f"--port={port}", f"--workers={workers}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options, application],
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def connect(port: int, *, receive_buffer: int | None = None) -> socket.socket:
    """A connection with the patience of a test."""
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(_PATIENCE_SECONDS)
    connection.connect(("127.0.0.1", port))
    return connection


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """The next answer on the connection."""
    with closing(http.client.HTTPResponse(connection, method=method)) as response:
        response.begin()
        return Answer(response.status, response.headers, response.read())


def ask(port: int, request: bytes, method: str = "GET") -> Answer:
    """Send these bytes on a fresh connection and read one answer."""
    with connect(port) as connection:
        connection.sendall(request)
        return read_answer(connection, method)


def head(line: str, **headers: str) -> bytes:
    """A request's head; in the names of headers an underscore stands for a hyphen."""
    lines = [f"{line} HTTP/1.1", "Host: localhost", *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def in_chunks(body: bytes, size: int) -> bytes:
    """The body as chunked coding sends it."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        time.sleep(0.05)
        return False
    return True
