"""Many clients of several kinds that hold their connections open, and come back whenever the server closes one."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Mapping
from typing import Self

from tests.faults.stacks import wait_until

_UNREAD = "unread"
_DRIP_SECONDS = 0.5


class Crowd:
    """So many sockets of each kind. A kind whose name says `unread` takes none of its answers."""

    def __init__(self, port: int, kinds: Mapping[str, bytes], each: int) -> None:
        self._port = port
        self._kinds = kinds
        self._each = each
        self._selector = selectors.DefaultSelector()
        self._unread: list[socket.socket] = []
        self._dripping: set[socket.socket] = set()
        self._opened = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._hold)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        for one in self._unread:
            one.close()
        self._selector.close()

    def wait_until_complete(self) -> None:
        """Come back when all are connected and have sent what they send."""
        wait_until(lambda: self._opened >= self._each * len(self._kinds) or not self._thread.is_alive())
        assert self._thread.is_alive()

    def _hold(self) -> None:
        for name in self._kinds:
            for _ in range(self._each):
                self._open(name)
        while not self._is_over.is_set():
            for key, _ in self._selector.select(_DRIP_SECONDS):
                assert isinstance(key.fileobj, socket.socket)
                if not _is_open(key.fileobj):
                    self._selector.unregister(key.fileobj)
                    self._dripping.discard(key.fileobj)
                    key.fileobj.close()
                    self._open(key.data)
            for one in self._dripping:
                _send(one, b"x")

    def _open(self, name: str) -> None:
        one = socket.socket()
        if _UNREAD in name:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(10)
        try:
            one.connect(("127.0.0.1", self._port))
            one.settimeout(0.2)
            _send(one, self._kinds[name])
        except OSError:
            one.close()
            return
        finally:
            self._opened += 1
        one.setblocking(False)
        if _UNREAD in name:
            self._unread.append(one)
            return
        if "header" in name:
            self._dripping.add(one)
        self._selector.register(one, selectors.EVENT_READ, name)


def _send(one: socket.socket, text: bytes) -> None:
    """As much as the server takes: what it does not take shows in what it answers."""
    try:
        one.sendall(text)
    except OSError:
        return


def _is_open(one: socket.socket) -> bool:
    """Whether the server keeps the connection; what it said is thrown away."""
    try:
        return bool(one.recv(65536))
    except BlockingIOError:
        return True
    except OSError:
        return False
