"""Locks between processes, on files. The kernel lets go of them when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """One holder's hold on a lock file. The children of the holder do not inherit it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def share(self) -> None:
        """Hold it together with others that share; waits for one that holds it alone."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def take(self) -> None:
        """Hold it alone; waits for the others."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_share(self) -> bool:
        """Share it without waiting; whether that was possible."""
        return self._try(fcntl.LOCK_SH)

    def try_take(self) -> bool:
        """Hold it alone without waiting; whether that was possible."""
        return self._try(fcntl.LOCK_EX)

    def release(self) -> None:
        """Let go of it, and keep it at hand."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of it for good."""
        os.close(self._descriptor)

    def read_note(self) -> str:
        """What the last holder noted."""
        return os.pread(self._descriptor, 100, 0).decode("ascii", "replace").strip()

    def write_note(self, note: str) -> None:
        """Note something for those who find the lock held."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, note.encode("ascii"), 0)

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Only one process at a time is inside."""
    lock = FileLock(path)
    try:
        lock.take()
        yield
    finally:
        lock.close()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock alone at this moment. Two that ask at once do not disturb each other."""
    lock = FileLock(path)
    try:
        return not lock.try_share()
    finally:
        lock.close()
