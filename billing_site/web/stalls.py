"""Lets the kernel close a connection whose reader takes nothing any more; granian itself would keep it for ever."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from billing_site.web import limits

_OPEN_FILES = Path("/proc/self/fd")


def limit_stalls() -> bool:
    """Set the limit on the sockets that this process listens on, and on what they have accepted; whether there are any.

    What is accepted later inherits it. Linux alone knows the limit; elsewhere there is nothing to wait for.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT") or not _OPEN_FILES.is_dir():
        return True
    with _tcp_sockets() as found:
        ports = {_port(one) for one in found if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)}
        # Connections to the database and the broker have other ports of ours.
        for one in found:
            if _port(one) in ports:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limits.ANSWER_STALL_SECONDS * 1000)
    return bool(ports)


def _port(one: socket.socket) -> int:
    return int(one.getsockname()[1])


@contextmanager
def _tcp_sockets() -> Iterator[list[socket.socket]]:
    """Copies of the process's TCP sockets: nothing that is closed meanwhile is another file by then."""
    with ExitStack() as stack:
        found = []
        for number in [int(entry.name) for entry in _OPEN_FILES.iterdir()]:
            try:
                copy = os.dup(number)
            except OSError:  # closed meanwhile
                continue
            if not stat.S_ISSOCK(os.fstat(copy).st_mode):
                os.close(copy)
                continue
            one = stack.enter_context(socket.socket(fileno=copy))
            if one.family in {socket.AF_INET, socket.AF_INET6} and one.type == socket.SOCK_STREAM:
                found.append(one)
        yield found
