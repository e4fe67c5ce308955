"""`make run` under faults: whatever is killed, the stack comes back, keeps its data, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from billing_site.launcher import places
from billing_site.queues import WORKERS
from tests.faults.stacks import Stack, free_port, wait_until

pytestmark = pytest.mark.faults

_GROUPS = "from django.contrib.auth.models import Group as G"


@contextmanager
def _stack(template: Stack | None = None) -> Iterator[Stack]:
    """A stack in a folder that PostgreSQL's own user can get to; pytest's temporary folders are private."""
    parent = Path(tempfile.mkdtemp(prefix="ch-"))
    parent.chmod(0o711)
    stack = Stack(parent / "state")
    if template is not None:
        subprocess.run(["/bin/cp", "-a", template.state, stack.state], check=True)
    try:
        yield stack
    finally:
        stack.clear()
        shutil.rmtree(parent)


@pytest.fixture(scope="module")
def template() -> Iterator[Stack]:
    """A stopped stack whose database has its shape, to copy: making the shape anew takes longer than most tests."""
    with _stack() as stack:
        done = stack.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        yield stack


@pytest.fixture
def fresh() -> Iterator[Stack]:
    """A stack that was never started, without any state."""
    with _stack() as stack:
        yield stack


@pytest.fixture
def stack(template: Stack) -> Iterator[Stack]:
    """A stack that was never started, over a database that has its shape."""
    with _stack(template) as stack:
        yield stack


@pytest.fixture(scope="module")
def running(template: Stack) -> Iterator[Stack]:
    """A running stack, which every test that takes it leaves running."""
    with _stack(template) as stack:
        stack.start()
        yield stack
        assert stack.stop() == 0
        assert stack.processes() == []


def _write_row(stack: Stack, name: str) -> None:
    done = stack.manage(
        "shell", "-c", f"from django.contrib.auth.models import Group as G; G.objects.create(name={name!r})"
    )
    assert done.returncode == 0, done.stderr


def _names(stack: Stack) -> str:
    done = stack.manage(
        "shell", "-c", "from django.contrib.auth.models import Group as G; print(list(G.objects.values()))"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stop_leaves_no_process_and_a_second_start_finds_the_data(fresh: Stack) -> None:
    stack = fresh
    stack.start()
    wait_until(stack.answers, stack.said)
    assert stack.processes()  # the control: the search finds a running stack
    _write_row(stack, "written in the first run")
    assert stack.stop(signal.SIGINT) == 0
    assert stack.processes() == []
    stack.start()
    assert "written in the first run" in _names(stack)
    wait_until(stack.answers, stack.said)
    assert stack.stop(signal.SIGTERM) == 0
    assert stack.processes() == []


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        ("Bringing the database", signal.SIGTERM),
        ("Collecting static", signal.SIGINT),
        ("Starting web", signal.SIGTERM),
    ],
)
def test_a_stop_during_the_start_leaves_no_process(stack: Stack, phase: str, number: signal.Signals) -> None:
    stack.begin()
    wait_until(lambda: phase in stack.said(), stack.said)
    assert stack.processes()
    assert stack.stop(number) == 0
    assert stack.processes() == []
    # The machine may be quick enough to say it before the signal comes, but never afterwards.
    assert "Ready" not in stack.said().partition("Stopping.")[2]


def test_a_launcher_whose_parent_is_killed_stops_everything(stack: Stack) -> None:
    """As `make run` does when make itself is killed."""
    stack.begin("--end-with-parent", below_a_shell=True)
    wait_until(lambda: "Ready." in stack.said(), stack.said)
    stack.stop(signal.SIGKILL)
    wait_until(lambda: not stack.processes(), lambda: str(stack.processes()))
    assert "Stopping." in stack.said()


# Whole words of one command line alone (NUL stands between them): the web server too speaks of --workers.
WORKER_PROGRAMS = [(worker.name, f"\0--queues={','.join(worker.queues)}\0") for worker in WORKERS]
PROGRAMS = [("web", "granian"), *WORKER_PROGRAMS, ("beat", "\0beat\0")]


@pytest.mark.parametrize(("name", "words"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_a_killed_program_is_started_again(running: Stack, name: str, words: str) -> None:
    victim = running.program(words)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: f"{name} is started again." in running.said(), running.said)
    wait_until(running.answers, running.said)
    assert f"{name} ended (signal 9)" in running.said()
    wait_until(lambda: running.is_another(words, victim), running.said)


@pytest.mark.parametrize("engine", ["postgres", "valkey"])
def test_a_killed_engine_is_started_again(running: Stack, engine: str) -> None:
    _write_row(running, f"before {engine} fell")
    [keeper] = [line for line in running.processes() if f"launcher.keeper {engine}" in line]
    os.kill(int(keeper.split()[0]), signal.SIGKILL)
    wait_until(lambda: f"The embedded {engine} ended" in running.said(), running.said)
    wait_until(lambda: f"before {engine} fell" in _names(running), running.said)
    wait_until(running.answers, running.said)


def test_a_killed_launcher_takes_everything_with_it_and_the_next_start_recovers(stack: Stack) -> None:
    stack.start()
    _write_row(stack, "before the kill")
    stack.stop(signal.SIGKILL)
    wait_until(lambda: not stack.processes(), lambda: str(stack.processes()))
    stack.start()
    assert "before the kill" in _names(stack)


def test_what_outlived_a_killed_run_is_ended_by_the_next_start(stack: Stack) -> None:
    """Launcher, keepers and the web server's main process die at one stroke: its workers would keep the port."""
    stack.start()
    _write_row(stack, "before the stroke")
    victims = [int(line.split()[0]) for line in stack.processes() if "launcher" in line]
    os.kill(stack.program("granian"), signal.SIGSTOP)  # it cannot end its workers any more
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    assert stack.launcher is not None
    stack.launcher.wait()
    assert any("granian" in line for line in stack.processes())  # the control: something did outlive them
    stack.start()
    assert "that an interrupted run had left behind" in stack.said()
    assert "before the stroke" in _names(stack)
    assert stack.stop() == 0
    assert stack.processes() == []


def test_stale_notes_of_processes_are_no_obstacle(stack: Stack) -> None:
    """As after a power cut: the notes name processes that are others now, and sockets nobody listens on."""
    stack.start()
    assert stack.stop() == 0
    bystander = str(os.getpid())
    (stack.state / "postgres" / "data" / "postmaster.pid").write_text(
        f"{bystander}\n{stack.state}/postgres/data\n1\n5432\n\n\n", encoding="ascii"
    )
    (stack.state / "postgres" / "ready").write_text(bystander, encoding="ascii")
    (stack.state / "valkey" / "server.pid").write_text(bystander, encoding="ascii")
    (stack.state / "run.lock").write_text(bystander, encoding="ascii")
    for path in (
        "valkey/socket/valkey.sock",
        "postgres/socket/.s.PGSQL.5432",
    ):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(stack.state / path))
    stack.start()
    wait_until(stack.answers, stack.said)


def test_a_second_run_of_the_same_state_is_refused(running: Stack) -> None:
    second = Stack(running.state)
    second.output = running.output.with_suffix(".second")
    with pytest.raises(AssertionError, match="It runs already"):
        second.start()
    assert second.launcher is not None
    assert second.launcher.returncode == 1
    wait_until(running.answers, running.said)


def test_a_port_in_use_is_named(stack: Stack) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", stack.port))
        other.listen()
        with pytest.raises(AssertionError, match=f"Port {stack.port} cannot be used.*PORT="):
            stack.start()
    assert stack.processes() == []


def test_commands_at_once_share_the_engines_and_the_last_one_stops_them(stack: Stack) -> None:
    assert stack.manage("migrate", "--verbosity=0").returncode == 0
    assert stack.processes() == []
    script = f"import time; time.sleep({{}}); {_GROUPS}; print(G.objects.count())"
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda pause: stack.manage("shell", "-c", script.format(pause)), (0, 1, 2, 0, 1)))
    assert [run.returncode for run in runs] == [0] * len(runs), [run.stderr for run in runs]
    assert stack.processes() == []


def test_an_outside_database_takes_the_place_of_the_embedded_one(fresh: Stack) -> None:
    """The test session's own PostgreSQL, embedded or not, is an outside one for the stack."""
    stack = fresh
    outside, name = urlsplit(settings.DATABASE_URL), f"outside_{free_port()}"
    with psycopg.connect(outside._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            stack.environment["DATABASE_URL"] = outside._replace(path=f"/{name}").geturl()
            stack.start()
            wait_until(stack.answers, stack.said)
            assert not (stack.state / "postgres").exists()
            assert stack.stop() == 0
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("kind", ["private", "long", "named oddly"])
def test_any_place_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A folder that only its owner can enter, one too deep for a socket's path, one with odd characters."""
    state = tmp_path / {"private": "state", "long": "deep" * 30, "named oddly": "50% of #1? ü"}[kind] / "state"
    tmp_path.chmod(0o700)
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(state))
    stack, outer = Stack(state), places.outer_folder()
    try:
        assert stack.manage("migrate", "--verbosity=0").returncode == 0
        _write_row(stack, "kept")
        assert "kept" in _names(stack)
        assert stack.processes() == []
        assert (outer / "postgres" / "data").exists() == (os.geteuid() == 0)
        assert tmp_path.stat().st_mode & 0o777 == 0o700
    finally:
        stack.clear()
        shutil.rmtree(outer, ignore_errors=True)
