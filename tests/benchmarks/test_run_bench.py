"""`make bench` runs from beginning to end and tells every ratio (issue 4, 8); what it measures is not judged here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from threading import Thread

import pytest

from tests.benchmarks import load
from tests.benchmarks.storage import DISK, SETTLING_WAL, WAL
from tests.benchmarks.table import ROWS, print_table, print_weights
from tests.faults.stacks import migrated_stack

_PEERS = ("django-hordak", "dj-stripe")


@pytest.mark.slow
def test_the_quick_bench_measures_every_side_of_our_own() -> None:
    """In a process and an engine of its own, with its servers; the peers need their own environment and stay out.

    Over a database that has its shape: making that takes longer than the measuring.
    """
    own = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "COUNTINGHOUSE_STATE_DIR"}}
    with migrated_stack() as stack:
        own["COUNTINGHOUSE_STATE_DIR"] = str(stack.state)
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks", "--quick"], capture_output=True, text=True, check=False, env=own
        )
    assert "asserted by make test" in " ".join(done.stdout.split()), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for name in (DISK, WAL, SETTLING_WAL, "credits_creditentry "):
        assert any(f"{line.strip()} ".startswith(name) for line in lines), name
    for title, *_ in ROWS:
        [line] = [line for line in lines if line.startswith(title)]
        assert ("not run" in line) is any(peer in title for peer in _PEERS), line


def test_a_side_that_did_nothing_in_its_time_is_told_and_breaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """On a busy machine a side may do nothing in the tenth of a second that the quick bench gives it."""
    assert print_table(lambda name: 0.0) == 1
    printed = capsys.readouterr().out
    assert printed.count("too short  MISSED") == len(ROWS)
    assert "asserted by make test" in printed


def test_bytes_that_are_too_many_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_weights({DISK: 700, WAL: 1_200, "credits_creditentry": 900}) == 0
    assert print_weights({DISK: 700, WAL: 1_201}) == 1
    assert capsys.readouterr().out.count("MISSED") == 1


def slow_server(seconds: float) -> int:
    """A server that takes so long for each answer; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with listener, connection:
            while connection.recv(4096):
                time.sleep(seconds)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def test_a_round_lasts_until_the_first_answer() -> None:
    port, request = slow_server(0.3), load.request_bytes("/", b"", method="GET")
    done = load.run(port, 0.01, 1, lambda: request)
    assert done.only(200).rate > 0
