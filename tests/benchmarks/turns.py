"""The other side of `peers.Peer`: "seconds" comes in on a line, transactions a second go out. Needs only Python."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def serve(act: Callable[[], object]) -> None:
    """Answer each line until the input ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, count = float(line), 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            act()
            count += 1
        print(count / (time.perf_counter() - started), flush=True)
