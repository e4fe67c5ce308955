"""Hands the answer of the WSGI application to granian whole, so that its reader holds no thread, however slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from billing_site.web import limits
from billing_site.web.rsgi_types import HTTPProtocol


@dataclass(slots=True)
class Started:
    """WSGI's `start_response`."""

    status: int = 500
    headers: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status, self.headers = int(status[:3]), headers


class File:
    """WSGI's `file_wrapper`: granian reads a file of the disk itself."""

    def __init__(self, file: IO[bytes], block_size: int = 64 * 1024) -> None:
        self._file = file
        self._block_size = block_size

    @property
    def path(self) -> str | None:
        """Where the whole file lies; None for anything but that."""
        path = getattr(self._file, "name", None)
        return path if isinstance(path, str) and Path(path).is_absolute() and self._file.tell() == 0 else None

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(self._block_size), b"")

    def close(self) -> None:
        """As WSGI wants it."""
        self._file.close()


def send(protocol: HTTPProtocol, started: Started, chunks: Iterable[bytes], keep: Callable[[IO[bytes]], None]) -> None:
    """Give the answer away. `keep` gets a file that must stay open until granian has opened it too."""
    if isinstance(chunks, File) and chunks.path is not None:
        protocol.response_file(started.status, started.headers, chunks.path)
        return
    waiting: list[bytes] = []
    length, file = 0, None
    for chunk in chunks:
        waiting.append(chunk)
        length += len(chunk)
        if length > limits.ANSWER_IN_MEMORY and file is None:
            file = TemporaryFile()  # noqa: SIM115 - `keep` closes it
        if file is not None:
            file.writelines(waiting)
            waiting.clear()
    if file is None:
        protocol.response_bytes(started.status, started.headers, b"".join(waiting))
        return
    file.flush()
    if not any(name.lower() == "content-length" for name, _ in started.headers):
        started.headers.append(("Content-Length", str(length)))
    protocol.response_file(started.status, started.headers, f"/dev/fd/{file.fileno()}")
    keep(file)
