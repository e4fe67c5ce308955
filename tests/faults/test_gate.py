"""`make test` that is told to end leaves nothing behind, whatever its checks have started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from billing_site.launcher.places import PROJECT
from billing_site.launcher.processes import processes_marked
from tests.faults.stacks import wait_until

pytestmark = pytest.mark.faults

# A check that has started a process in a session of its own, as the tests do, and that goes on when asked to end.
_CHECK = """
import signal, subprocess, sys, time
{ignore}
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("started", flush=True)
time.sleep(600)
"""
_GATE = """
import signal, sys
from tests import gate
gate._PATIENCE_SECONDS = 1
interruption = gate.Interruption()
interruption.listen()
steps = [gate.Step("check", [sys.executable, "-c", sys.argv[1]]), gate.Step("never", [sys.executable, "-c", "1"])]
failed = gate.run(steps, interruption)
sys.exit(0 if failed == ["check"] else 1)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda n: n.name)
@pytest.mark.parametrize("ignore", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"], ids=["gentle", "stubborn"])
def test_a_gate_that_is_told_to_end_ends_what_it_started(number: signal.Signals, ignore: str, tmp_path: Path) -> None:
    mark = f"{os.getpid()}-{number}-{bool(ignore)}"
    output = tmp_path / "out"
    with output.open("wb") as log:
        gate = subprocess.Popen(
            [sys.executable, "-c", _GATE, _CHECK.format(ignore=ignore)],
            cwd=PROJECT,
            env={**os.environ, "GATE_UNDER_TEST": mark},
            stdout=log,
            stderr=log,
        )
    wait_until(lambda: b"started" in output.read_bytes(), lambda: output.read_text(encoding="utf-8"))
    assert len(list(processes_marked("GATE_UNDER_TEST", mark))) == 3  # gate, check, what the check started
    gate.send_signal(number)
    assert gate.wait(60) == 0  # it ran no further check
    wait_until(lambda: not list(processes_marked("GATE_UNDER_TEST", mark)))
