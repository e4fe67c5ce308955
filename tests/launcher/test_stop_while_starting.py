"""Whoever asks the launcher to end while it starts a process leaves none behind (spec 12, `make run`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from billing_site.launcher import children, supervisor
from billing_site.launcher.supervisor import Supervisor

NUMBER = signal.SIGTERM


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Supervisor:
    """A launcher that hears each signal as its handler would, in the middle of what it does."""
    monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(tmp_path))
    (tmp_path / "logs").mkdir()
    monkeypatch.setattr(children, "log_folder", lambda: tmp_path / "logs")
    return Supervisor(28_000, with_demo=False)


def test_of_a_program_that_is_being_started(starting: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def spawn(*command: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        started.append(process)
        starting._on_signal(NUMBER, None)  # the process runs, and nobody has it yet
        return process

    monkeypatch.setattr(children, "spawn", spawn)
    with pytest.raises(supervisor._Stop):
        starting._start()
    first, *others = starting.children
    assert [first.process] == started
    assert [child.process for child in others] == [None] * len(others)
    first.kill()
    assert started[0].returncode == -signal.SIGKILL


def test_of_a_command_that_is_being_started(starting: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def begin(command: list[str], **options: Any) -> subprocess.Popen[str]:
        process = popen([sys.executable, "-c", "import time; time.sleep(60)"], text=True)
        started.append(process)
        starting._on_signal(NUMBER, None)
        return process

    monkeypatch.setattr(subprocess, "Popen", begin)
    with pytest.raises(supervisor._Stop):
        starting._manage("migrate", saying=None)
    assert len(started) == 1
    assert started[0].poll() is not None
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)
