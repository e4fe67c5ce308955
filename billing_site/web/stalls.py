"""Lets the kernel close a connection whose reader takes nothing any more; granian itself would keep it for ever."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from billing_site.web import limits

_OPEN_FILES = Path("/proc/self/fd")


def limit_stalls() -> None:
    """Set the limit on the sockets that this process listens on; what they accept inherits it. Linux alone knows it."""
    if not hasattr(socket, "TCP_USER_TIMEOUT") or not _OPEN_FILES.is_dir():
        return
    for number in [int(entry.name) for entry in _OPEN_FILES.iterdir()]:
        try:
            copy = os.dup(number)
        except OSError:  # closed meanwhile
            continue
        try:
            _limit_if_listening(copy)
        finally:
            os.close(copy)


def _limit_if_listening(number: int) -> None:
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        return
    one = socket.socket(fileno=number)
    try:
        is_tcp = one.family in {socket.AF_INET, socket.AF_INET6} and one.type == socket.SOCK_STREAM
        if is_tcp and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limits.ANSWER_STALL_SECONDS * 1000)
    finally:
        one.detach()
