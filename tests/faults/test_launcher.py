"""`make run` under faults: whatever is killed, the stack comes back, keeps its data, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from billing_site.launcher import places
from billing_site.queues import WORKERS
from tests.faults.stacks import Stack, migrated_stack, wait_until
from tests.sizes import size

pytestmark = pytest.mark.faults


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack that was never started, over a database that has its shape.

    `make run` without any state is run by tests/journeys/test_readme_commands.py.
    """
    with migrated_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """A stack that was started over stale notes, which every test that takes it leaves running."""
    with migrated_stack() as stack:
        _leave_stale_notes(stack)
        stack.start()
        yield stack
        assert stack.stop(signal.SIGTERM) == 0
        assert stack.processes() == []


def _leave_stale_notes(stack: Stack) -> None:
    """As after a power cut: the notes name processes that are others now, and sockets nobody listens on."""
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


def _write_row(stack: Stack, name: str) -> None:
    with stack.database() as connection:
        connection.execute("INSERT INTO auth_group (name) VALUES (%s)", [name])


def _has_row(stack: Stack, name: str) -> bool:
    """False while the database is away."""
    try:
        with stack.database() as connection:
            return connection.execute("SELECT FROM auth_group WHERE name = %s", [name]).rowcount == 1
    except psycopg.OperationalError:
        return False


def test_however_a_run_ends_nothing_is_left_and_the_next_start_finds_the_data(stack: Stack) -> None:
    """A stroke, a stop, and an end as `make run` has it when make itself is killed: its parent is gone."""
    stack.environment["WEB_WORKERS"] = "2"
    stack.start()
    wait_until(stack.answers, stack.said)
    _write_row(stack, "written in the first run")
    _kill_launcher_and_keepers(stack)
    assert any("granian" in line for line in stack.processes())  # the control: something did outlive them

    stack.start()
    assert "that an interrupted run had left behind" in stack.said()
    assert _has_row(stack, "written in the first run")
    assert stack.stop(signal.SIGINT) == 0
    assert stack.processes() == []

    stack.begin("--end-with-parent", below_a_shell=True)
    wait_until(lambda: "Ready." in stack.said(), stack.said)
    assert _has_row(stack, "written in the first run")
    wait_until(stack.answers, stack.said)
    stack.stop(signal.SIGKILL)
    wait_until(lambda: not stack.processes(), lambda: str(stack.processes()))
    assert "Stopping." in stack.said()


def _kill_launcher_and_keepers(stack: Stack) -> None:
    """At one stroke, and the web server's main process with them: its workers would keep the port.

    That the launcher alone takes everything with it is shown by test_deliveries_survive.py.
    """
    victims = [int(line.split()[0]) for line in stack.processes() if "launcher" in line]
    os.kill(stack.program("granian"), signal.SIGSTOP)  # it cannot end its workers any more
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    assert stack.launcher is not None
    stack.launcher.wait()


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
    wait_until(lambda: _has_row(running, f"before {engine} fell"), running.said)
    wait_until(running.answers, running.said)


def test_stale_notes_of_processes_are_no_obstacle(running: Stack) -> None:
    """It was started over them."""
    wait_until(running.answers, running.said)


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


_RUN = "import time; time.sleep({}); from django.db import connection as c; c.cursor().execute('{}')"
PAUSES = size(small=(0, 1, 2), full=(0, 1, 2, 0, 1))
_MAKE_TABLE = _RUN.format(0, "CREATE TABLE kept (at int)")


def test_commands_at_once_share_the_engines_and_the_last_one_stops_them(stack: Stack) -> None:
    assert stack.manage("shell", "--no-imports", "-c", _MAKE_TABLE).returncode == 0
    assert stack.processes() == []
    with ThreadPoolExecutor() as pool:
        asked = [("shell", "--no-imports", "-c", _RUN.format(pause, "SELECT FROM kept")) for pause in PAUSES]
        runs = list(pool.map(lambda arguments: stack.manage(*arguments), asked))
    assert [run.returncode for run in runs] == [0] * len(runs), [run.stderr for run in runs]
    assert stack.processes() == []


def test_any_place_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a folder that only its owner can enter: too deep for a socket's path, and with odd characters."""
    state = tmp_path / "50% of #1? ü" / ("deep" * 30) / "state"
    tmp_path.chmod(0o700)
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(state))
    stack, outer = Stack(state), places.outer_folder()
    try:
        for script in (_MAKE_TABLE, _RUN.format(0, "SELECT FROM kept")):
            done = stack.manage("shell", "--no-imports", "-c", script)
            assert done.returncode == 0, done.stderr
        assert stack.processes() == []
        assert (outer / "postgres" / "data").exists() == (os.geteuid() == 0)
        assert tmp_path.stat().st_mode & 0o777 == 0o700
    finally:
        stack.clear()
        shutil.rmtree(outer, ignore_errors=True)
