"""The negative control of the memory test: a server that keeps every path that it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

_kept: list[bytes] = []


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer 200, and keep 4 kB for it."""
    _kept.append(environ["PATH_INFO"].encode().ljust(4_096, b"."))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
