"""Real processes that are killed without warning: the counterpart of a machine that dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.context import ForkProcess

from django.db import connections

from apps.core.failpoints import Failpoint, armed


def started(work: Callable[[], object]) -> ForkProcess:
    """A forked process that does `work` on its own connection. Our own connections are closed before the fork."""
    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=_alone, args=(work,), daemon=True)
    process.start()
    return process


def kill(process: ForkProcess) -> bool:
    """Kill -9, and wait until the process is gone; whether it was still at work. One that has ended is left at that."""
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def dies_at(place: Failpoint, work: Callable[[], object]) -> bool:
    """Do `work` in a process that kills itself when it passes `place`; whether it did."""

    def until_there() -> None:
        with armed(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == place else None):
            work()

    process = started(until_there)
    process.join()
    return process.exitcode == -signal.SIGKILL


def _alone(work: Callable[[], object]) -> None:
    try:
        work()
    finally:
        connections.close_all()
