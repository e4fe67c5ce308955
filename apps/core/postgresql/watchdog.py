"""Ends the wait for a server that stays silent, so that no thread hangs (spec 11, P14).

The server itself cancels a statement that takes too long. A server that is stopped, or a pooler or network that
swallows everything, cancels nothing, and libpq waits for ever. So one thread of the process looks at all waits each
second and shuts the socket of one that is over its time; libpq then reports a broken connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import psycopg

_LOOKS_EACH_SECONDS = 1.0


class Watched(Protocol):
    """A connection whose waits are watched."""

    was_silent: bool

    def fileno(self) -> int:
        """Its socket."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wait:
    """One wait: on which connection, and until when."""

    connection: Watched
    until: float


class Watchdog:
    """Watches the waits of this process."""

    def __init__(self) -> None:
        self._waits: set[_Wait] = set()
        self._starting = threading.Lock()
        self._process = 0

    @contextmanager
    def watch(self, connection: Watched, seconds: float) -> Iterator[None]:
        """While the block runs, the connection's socket is shut once the seconds are over."""
        if self._process != os.getpid():
            self._start()
        wait = _Wait(connection, time.monotonic() + seconds)
        self._waits.add(wait)
        try:
            yield
        finally:
            self._waits.discard(wait)

    def _start(self) -> None:
        with self._starting:
            if self._process == os.getpid():
                return
            self._waits = set()  # a forked child has no waits of its parent
            self._process = os.getpid()
            threading.Thread(target=self._look, name="database-watchdog", daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(_LOOKS_EACH_SECONDS)
            now = time.monotonic()
            for wait in [wait for wait in self._waits.copy() if wait.until <= now]:
                self._shut(wait)

    def _shut(self, wait: _Wait) -> None:
        # A descriptor of our own: should the wait end just now and the number be given to another file, we still hold
        # the socket that we looked at.
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(wait.connection.fileno())) as found,
        ):
            if wait in self._waits:
                self._waits.discard(wait)
                wait.connection.was_silent = True
                found.shutdown(socket.SHUT_RDWR)


WATCHDOG = Watchdog()
