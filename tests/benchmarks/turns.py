"""The other side of `peers.Peer`: "name seconds" comes in on a line, turns a second go out. Needs only Python."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping


def rate(act: Callable[[], object], seconds: float) -> float:
    """How often it was done a second."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        act()
        count += 1
    return count / (time.perf_counter() - started)


def serve(acts: Mapping[str, Callable[[], object]], *, rows: Callable[[], int] | None = None) -> None:
    """Answer each line until the input ends; "rows" is answered with how many rows it all has left."""
    print("ready", flush=True)
    for line in sys.stdin:
        name, _, seconds = line.strip().partition(" ")
        print(rows() if name == "rows" and rows else rate(acts[name], float(seconds)), flush=True)
