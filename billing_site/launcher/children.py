"""The processes of `make run`: what each is started with, and how it is kept running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from billing_site.launcher import places
from billing_site.launcher.processes import fresh_log, spawn
from billing_site.queues import WORKERS, Worker
from billing_site.web import limits

HOST = "127.0.0.1"
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
# One that ran this long had started well; its next fall is a first one again.
_SETTLED_SECONDS = 60.0
MARK = "COUNTINGHOUSE_RUN"

# How granian serves `billing_site.rsgi`, wherever it runs. HTTP/2 would put many requests on one connection, past the
# limits that hold for each connection.
WEB_OPTIONS = (
    "--interface=rsgi",
    "--http=1",
    f"--http1-header-read-timeout={limits.HEADER_SECONDS * 1000}",
    f"--http1-buffer-size={limits.HEADER_BYTES}",
    f"--backlog={limits.BACKLOG}",
    f"--backpressure={limits.CONNECTIONS}",
    "--respawn-failed-workers",
    "--workers-kill-timeout=5",
    "--no-ws",
    "--no-access-log",
)


@dataclass(frozen=True, slots=True)
class Program:
    """One long-running program of the stack."""

    name: str
    command: tuple[str, ...]
    orphan_signal: signal.Signals
    """What it gets when the launcher is killed: the signal that ends it soonest without loss."""


def programs(port: int) -> tuple[Program, ...]:
    """Web, the workers and beat."""
    return (
        Program("web", _web(port), signal.SIGTERM),
        # With the broker gone as well, each of a worker's own ways to end waits for the broker. Its pool ends when it
        # is gone, and its tasks come back, as they are acknowledged late.
        *(Program(worker.name, _worker(worker), signal.SIGKILL) for worker in WORKERS),
        Program("beat", _celery("beat", "--pidfile=", "--loglevel=INFO"), signal.SIGTERM),
    )


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every child gets: this environment, the mark by which it is found again, and one folder of metrics."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "billing_site.settings",
        "PYTHONUNBUFFERED": "1",
        MARK: str(places.state_folder()),
        **(extra or {}),
    }


def metrics_folder() -> Path:
    """Where the processes of one run put their metrics together."""
    return places.state_folder() / "metrics"


def log_folder() -> Path:
    """The logs of web, workers and beat."""
    return places.state_folder() / "logs"


@dataclass(slots=True)
class Child:
    """One program, started again whenever it ends, each time after a longer wait."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _start_at: float = 0.0
    _wait: float = field(default=_FIRST_WAIT_SECONDS)

    @property
    def log(self) -> Path:
        """What it writes."""
        return log_folder() / f"{self.program.name}.log"

    def start(self) -> None:
        """Start it with a fresh log."""
        fresh_log(self.log)
        self._spawn()

    def watch(self) -> str | None:
        """Start it again when it is down and its wait is over. Says what happened, or None."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._start_at:
                self._spawn()
                return f"{self.program.name} is started again."
            return None
        status = self.process.poll()
        if status is None:
            return None
        self._kill_group()
        self.process = None
        if now - self._started > _SETTLED_SECONDS:
            self._wait = _FIRST_WAIT_SECONDS
        self._start_at, waited = now + self._wait, self._wait
        self._wait = min(2 * self._wait, _LONGEST_WAIT_SECONDS)
        return f"{self.program.name} ended ({_how(status)}); it is started again in {waited:g} s. Log: {self.log}"

    def end(self, number: signal.Signals) -> None:
        """Send it the signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def has_ended(self) -> bool:
        """Whether nothing of it runs; what its main process left behind is killed."""
        if self.process is None:
            return True
        if self.process.poll() is None:
            return False
        self._kill_group()
        return True

    def kill(self) -> None:
        """End it by force, with all that it started."""
        if self.process is not None:
            self._kill_group()
            self.process.wait()

    def _kill_group(self) -> None:
        """The pool of a killed worker, or the workers of a killed server, live on; they are in its group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _spawn(self) -> None:
        self._started = time.monotonic()
        self.process = spawn(
            self.program.command,
            log=self.log,
            environment=environment({"PROMETHEUS_MULTIPROC_DIR": str(metrics_folder())}),
            folder=places.PROJECT,
            end_signal=self.program.orphan_signal,
        )


def _web(port: int) -> tuple[str, ...]:
    from billing_site import variables  # noqa: PLC0415 - the launcher's own errors come first

    return (
        sys.executable,
        "-m",
        "granian",
        f"--host={HOST}",
        f"--port={port}",
        f"--workers={variables.WEB_WORKERS}",
        *WEB_OPTIONS,
        "billing_site.rsgi:application",
    )


def _worker(worker: Worker) -> tuple[str, ...]:
    return _celery(
        "worker",
        f"--hostname={worker.name}@%h",
        f"--queues={','.join(worker.queues)}",
        f"--concurrency={worker.processes}",
        "--loglevel=INFO",
        # Nothing here asks other workers; looking for them at the start costs a second.
        "--without-mingle",
        "--without-gossip",
    )


def _celery(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "--app=billing_site", "--no-color", *arguments)


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
