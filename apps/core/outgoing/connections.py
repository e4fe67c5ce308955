"""Connections that connect to the address that was checked, and to no other (spec 06, Outgoing requests).

The host is resolved here, judged here and connected to here, in one breath: a name that answers differently the second
time is never asked a second time. TLS still verifies the certificate against the name.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from apps.core.outgoing.addresses import permitted


class Watch:
    """What holds for one call: whether addresses are judged, and the moment when everything ends.

    Timeouts of a socket begin anew with each byte, so that a server which sends one now and then would never end; at
    the deadline the sockets are shut down instead, in whatever they are waiting for.
    """

    def __init__(self, *, is_guarded: bool, seconds: int) -> None:
        self.is_guarded, self._seconds = is_guarded, seconds
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.is_over = False

    def follow(self, opened: socket.socket) -> None:
        """End this socket too at the deadline; a duplicate reaches it, also once TLS has taken it over."""
        with self._lock:
            self._sockets.append(opened.dup())
        if self.is_over:
            self._shut()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold for the calls of the block."""
        timer = threading.Timer(self._seconds, self._end)
        timer.daemon = True
        token = _watch.set(self)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            _watch.reset(token)
            with self._lock:
                for followed in self._sockets:
                    followed.close()
                self._sockets.clear()

    def _end(self) -> None:
        self.is_over = True
        self._shut()

    def _shut(self) -> None:
        with self._lock:
            for followed in self._sockets:
                with suppress(OSError):
                    followed.shutdown(socket.SHUT_RDWR)


_watch: ContextVar[Watch] = ContextVar("outgoing_watch")


def checked_socket(connection: HTTPConnection) -> socket.socket:
    """A socket to the connection's host, at an address that was judged; raises `RefusedAddressError` before opening."""
    watch, host = _watch.get(), connection.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if watch.is_guarded:
        permitted(host, addresses)
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    try:
        opened = socket.create_connection((addresses[0], connection.port), timeout=timeout)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{host} does not answer") from error
    except OSError as error:
        raise NewConnectionError(connection, f"{host} can't be reached") from error
    watch.follow(opened)
    return opened


class _Checked(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return checked_socket(self)


class _CheckedTLS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return checked_socket(self)


class _CheckedPool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _CheckedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTLS


class CheckedAdapter(HTTPAdapter):
    """Sends over checked connections alone."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As the base does, with pools of ours."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _CheckedPool, "https": _CheckedTLSPool}
