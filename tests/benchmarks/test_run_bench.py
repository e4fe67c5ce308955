"""`make bench` runs from beginning to end and tells every ratio (issue 4, 8); what it measures is not judged here."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.benchmarks.table import ROWS

_PEERS = ("django-hordak", "dj-stripe")


def test_the_quick_bench_measures_every_side_of_our_own() -> None:
    """In a process and an engine of its own, with its servers; the peers need their own environment and stay out."""
    own = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "COUNTINGHOUSE_STATE_DIR"}}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--quick"], capture_output=True, text=True, check=False, env=own
    )
    assert "asserted by make test" in " ".join(done.stdout.split()), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for title, *_ in ROWS:
        [line] = [line for line in lines if line.startswith(title)]
        assert ("not run" in line) is any(peer in title for peer in _PEERS), line
