"""A real launcher in a state folder of its own, with eyes and hands on its processes."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from unittest.mock import patch

import psycopg
from django.conf import settings

from billing_site.launcher import locks, places, processes, programs
from billing_site.launcher.children import MARK
from billing_site.launcher.places import PROJECT
from tests.databases import shape_digest

PATIENCE_SECONDS = 300  # longer than any lease: what a killed worker had claimed is waited for, and the sweep after it
_PORTS = range(20_000, 30_000)
_RESERVATIONS: list[int] = []


class Stack:
    """`python -m billing_site.launcher run` for one state folder."""

    def __init__(self, state: Path, **environment: str) -> None:
        self.state = state
        self.port = free_port()
        self.output = state.with_name(f"{state.name}.out")
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}},
            "DJANGO_ENV": "test",  # engines that need not survive a power cut
            "COUNTINGHOUSE_STATE_DIR": str(state),
            "PORT": str(self.port),
            "WEB_WORKERS": "1",
            **environment,
        }
        self.launcher: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and come back when it says that it is ready."""
        self.begin()
        launcher = self.launcher
        assert launcher is not None
        wait_until(lambda: "Ready." in self.said() or launcher.poll() is not None, self.said)
        assert launcher.poll() is None, self.said()

    def begin(self, *arguments: str, below_a_shell: bool = False) -> None:
        """Start it and come back at once. Below a shell, that is what `stop` sends its signal to."""
        command = [sys.executable, "-m", "billing_site.launcher", "run", "--without-demo", *arguments]
        with self.output.open("wb") as output:
            self.launcher = subprocess.Popen(
                ["/bin/sh", "-c", f"{shlex.join(command)} & wait"] if below_a_shell else command,
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the launcher the signal and wait for its end."""
        assert self.launcher is not None
        self.launcher.send_signal(number)
        return self.launcher.wait(PATIENCE_SECONDS)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py beside it."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def database(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of its own to the embedded database, which must be running."""
        with patch.dict(os.environ, {"COUNTINGHOUSE_STATE_DIR": str(self.state)}):
            host = str(places.postgres_socket_folder())
        return psycopg.connect(host=host, user="countinghouse", dbname="countinghouse", autocommit=True)

    def program(self, words: str) -> int:
        """The main process of web, worker or beat: the leader of its own session."""
        for pid in processes.processes_marked(MARK, str(self.state)):
            if os.getsid(pid) == pid and processes.is_running_with(pid, words):
                return pid
        raise AssertionError(f"Nothing runs with {words!r}.")

    def is_another(self, words: str, before: int) -> bool:
        """Whether a fresh process has taken the place of the one that was killed."""
        try:
            return self.program(words) != before
        except AssertionError:
            return False

    def processes(self) -> list[str]:
        """Every living process of this stack, engines and keepers included."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environment = (entry / "environ").read_bytes()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if int(entry.name) != os.getpid() and (
                f"COUNTINGHOUSE_STATE_DIR={self.state}\0".encode() in environment or str(self.state) in line
            ):
                found.append(f"{entry.name} {line}")
        return found

    def answers(self) -> bool:
        """Whether the web server answers that it is alive."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def clear(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.launcher is not None and self.launcher.poll() is None:
            self.stop(signal.SIGTERM)
        processes.kill_marked(MARK, str(self.state))
        wait_until(lambda: not self.processes(), lambda: str(self.processes()))
        shutil.rmtree(self.state, ignore_errors=True)


@contextmanager
def fresh_stack(**environment: str) -> Iterator[Stack]:
    """A stack without any state, in a folder that PostgreSQL's own user can get to; pytest's are private."""
    parent = Path(tempfile.mkdtemp(prefix="ch-"))
    parent.chmod(0o711)
    stack = Stack(parent / "state", **environment)
    try:
        yield stack
    finally:
        stack.clear()
        shutil.rmtree(parent)


@contextmanager
def migrated_stack(**environment: str) -> Iterator[Stack]:
    """A stack that was never started, over a database that has its shape."""
    template = _migrated_state()
    with fresh_stack(**environment) as stack:
        subprocess.run(["/bin/cp", "-a", template, stack.state], check=True)
        yield stack


def _migrated_state() -> Path:
    """The state to copy, kept between sessions: making the shape anew takes longer than most tests."""
    made_by = f"{shape_digest()} {programs.postgres_programs()}".encode()
    made_by += (PROJECT / "billing_site" / "launcher" / "postgres.py").read_bytes()
    folder = Path(settings.STATE_DIR) / "stacks" / hashlib.sha256(made_by).hexdigest()[:16]
    folder.parent.mkdir(exist_ok=True)
    with locks.alone(folder.parent / "lock"):
        if not folder.exists():
            for stale in folder.parent.glob("*/"):
                shutil.rmtree(stale)
            fresh = folder.with_suffix(".new")
            with fresh_stack() as stack:
                done = stack.manage("migrate", "--verbosity=0")
                assert done.returncode == 0, done.stderr
                subprocess.run(["/bin/cp", "-a", stack.state, fresh], check=True)
            fresh.rename(folder)  # one that was interrupted is never taken for whole
    return folder


def free_port() -> int:
    """A port that nobody takes between this call and the start of the server that it is for.

    Below the range from which the system gives ports to connections that go out, and reserved by a lock on a file that
    lasts as long as this process, so that tests that run at the same time choose different ones.
    """
    folder = Path(gettempdir()) / f"countinghouse-test-ports-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        reservation = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(reservation, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(reservation)
            continue
        _RESERVATIONS.append(reservation)
        return port
    raise AssertionError(f"No port from {_PORTS.start} to {_PORTS.stop - 1} is free.")


def wait_until(holds: Callable[[], bool], explain: Callable[[], str] = str) -> None:
    """Come back when it holds; fail after a patience that no machine needs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)
