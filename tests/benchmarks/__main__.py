"""`make bench`: the ratios of spec 11, each against a floor that is built and measured in the same run.

Sides are measured in random order, round by round; a figure is the median of its rounds. Logs are at WARNING for all
servers. Where the machine is busy with something else, all sides lose, and CPU a request says more than requests a
second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from billing_site.launcher import places, sessions


def main() -> int:
    """Run in an engine of its own, with a power cut's safety as in production: fsync costs, so it counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="see that it runs; its figures mean nothing")
    options = parser.parse_args()
    os.environ.setdefault("COUNTINGHOUSE_STATE_DIR", str(places.PROJECT / "var" / "bench"))
    os.environ["DJANGO_ENV"] = "development"
    os.environ["DJANGO_SETTINGS_MODULE"] = "billing_site.settings"
    os.environ["LOG_LEVEL"] = "WARNING"
    with sessions.engines():
        arguments = ["--quick"] if options.quick else []
        return subprocess.run([sys.executable, "-m", "tests.benchmarks.runner", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
