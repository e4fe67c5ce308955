"""The servers under test: granian as the product runs it, one for each application, and the CPU that they used."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from billing_site.launcher import children, places
from billing_site.launcher.processes import spawn

_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """One running server."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """What all its processes have used so far, by the kernel's nanosecond counters."""
        total = 0
        for pid in _family(self.process.pid):
            for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(thread.read_text(encoding="ascii").split()[0])
        return total / 1e9


@contextmanager
def serving(application: str, settings: str, log: Path) -> Iterator[Server]:
    """Serve the application with as many workers and threads as the launcher gives the product."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [*children.programs(port)[0].command[:-1], application]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "API_RATE_LIMIT_PER_MINUTE": "100000000"}
    environment |= {"LOG_LEVEL": "WARNING"}
    log.unlink(missing_ok=True)
    # It ends with this process too, however that ends, so that a killed bench leaves no server behind.
    process = spawn(command, log=log, environment=environment, folder=places.PROJECT, end_signal=signal.SIGTERM)
    try:
        _wait_for(port, process, log)
        yield Server(port, process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"The server did not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _family(root: int) -> list[int]:
    found = [root]
    for pid in found:
        for children_of in Path(f"/proc/{pid}/task").glob("*/children"):
            found += map(int, children_of.read_text(encoding="ascii").split())
    return found
