"""What is measured in process, on both sides of a ratio alike: so many threads, each with a connection of its own.

Also the other side of `peers.Peer`: "name seconds connections" comes in on a line, turns a second go out. Needs only
Python.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

CONNECTIONS = 8
# They stay from round to round, since what a thread opens to the database stays with it.
_threads = ThreadPoolExecutor(CONNECTIONS)


def rate(act: Callable[[], object], seconds: float, connections: int = CONNECTIONS) -> float:
    """How often it was done a second, by all threads together; the last turn of each counts with its time."""
    started = time.perf_counter()

    def take_turns() -> int:
        count = 0
        while time.perf_counter() - started < seconds:
            act()
            count += 1
        return count

    taking = [_threads.submit(take_turns) for _ in range(connections)]
    return sum(one.result() for one in taking) / (time.perf_counter() - started)


def serve(acts: Mapping[str, Callable[[], object]], *, rows: Callable[[], int] | None = None) -> None:
    """Answer each line until the input ends; "rows" is answered with how many rows it all has left."""
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "rows" and rows:
            print(rows(), flush=True)
            continue
        name, seconds, connections = line.split()
        print(rate(acts[name], float(seconds), int(connections)), flush=True)
