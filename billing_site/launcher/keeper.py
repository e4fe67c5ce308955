"""The process that owns one engine: starts it, waits until nobody uses it any more, and stops it.

A user of the engine shares its `use.lock`. The kernel takes the lock back from a user that ends in whatever way, so an
engine never outlives its users, and the engine itself ends with its keeper.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from billing_site.launcher.engines import Engine
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.locks import FileLock
from billing_site.launcher.postgres import Postgres
from billing_site.launcher.processes import last_lines
from billing_site.launcher.valkey import Valkey

ENGINES: dict[str, type[Engine]] = {"postgres": Postgres, "valkey": Valkey}
KEEPER_LOCK = "keeper.lock"
USE_LOCK = "use.lock"
READY_NOTE = "ready"
START_SECONDS = 120  # a recovery after a crash reads the write-ahead log again
_START_POLL_SECONDS = 0.02
_USE_POLL_SECONDS = 0.1


class _Told:
    """Whether somebody told this process to end."""

    to_end = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.to_end = True


def keep(engine: Engine) -> None:
    """Own the engine from its start to its end. The caller holds the keeper lock."""
    told = _Told()
    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
    ready = engine.folder / READY_NOTE
    process = engine.start()
    try:
        _wait_until_ready(engine, process, told)
        ready.write_text(str(os.getpid()), encoding="ascii")
        _wait_until_unused(engine, process, told)
    finally:
        ready.unlink(missing_ok=True)
        _stop(engine, process)


def _wait_until_ready(engine: Engine, process: subprocess.Popen[bytes], told: _Told) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not engine.is_ready():
        if process.poll() is not None or told.to_end or time.monotonic() > deadline:
            raise LauncherError(
                f"The embedded {engine.name} did not start; {engine.log} ends with:\n{last_lines(engine.log)}\n"
                f"To use another server, set {engine.variable}."
            )
        time.sleep(_START_POLL_SECONDS)


def _wait_until_unused(engine: Engine, process: subprocess.Popen[bytes], told: _Told) -> None:
    """Ends holding the use lock, so that a new user waits until the engine is gone and then starts its own."""
    use = FileLock(engine.folder / USE_LOCK)
    while not use.try_take():
        if process.poll() is not None or told.to_end:
            return
        time.sleep(_USE_POLL_SECONDS)


def _stop(engine: Engine, process: subprocess.Popen[bytes]) -> None:
    for number, seconds in engine.stop_signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def main(name: str) -> int:
    """Keep the engine of this name; 1 and a message on standard error when it does not start."""
    engine = ENGINES[name]()
    lock = FileLock(Path(engine.folder) / KEEPER_LOCK)
    lock.take()
    try:
        engine.prepare()
        keep(engine)
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
