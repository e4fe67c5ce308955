"""`make bench`: the ratios of spec 11, each against a floor that is built and measured in the same run.

Sides are measured in random order, round by round; a figure is the median of its rounds. Logs are at WARNING for all
servers. Where the machine is busy with something else, all sides lose, and CPU a request says more than requests a
second.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from billing_site.launcher import places, sessions

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours is made in it
_ROOM_BYTES = 2 << 30


def main() -> int:
    """Run in an engine of its own, which lies in memory where there is room.

    The bars of spec 11 were measured where a sync takes 0.14 ms. On a disk that takes some milliseconds both sides of a
    ratio wait for it, and every product looks equally quick. `COUNTINGHOUSE_STATE_DIR` names another place.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="see that it runs; its figures mean nothing")
    options = parser.parse_args()
    os.environ["DJANGO_ENV"] = "development"
    os.environ["DJANGO_SETTINGS_MODULE"] = "billing_site.settings"
    os.environ["LOG_LEVEL"] = "WARNING"
    arguments = ["--quick"] if options.quick else []
    with TemporaryDirectory(prefix="countinghouse-bench-", dir=_roomy_folder()) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's own user passes through
        os.environ.setdefault("COUNTINGHOUSE_STATE_DIR", folder)
        with sessions.engines():
            return subprocess.run([sys.executable, "-m", "tests.benchmarks.runner", *arguments], check=False).returncode


def _roomy_folder() -> Path:
    """Where the engine's data lie while it runs."""
    has_room = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    if has_room:
        return _MEMORY
    folder = places.PROJECT / "var"
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
