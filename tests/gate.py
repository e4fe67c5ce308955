"""`make test`, `make test-fast` and `make lint`: every check with its name and its seconds.

One that fails does not hide the next.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

# Before the launcher is asked where the state of tests lies.
os.environ["DJANGO_ENV"] = "test"
# The checks start each other's programs again and again; what is compiled is kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from billing_site.environment import exit_if_misconfigured
from billing_site.launcher import sessions
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.places import PROJECT
from billing_site.launcher.processes import end_with_parent, kill_marked

_BIN = Path(sys.executable).parent
# Three, whatever the machine has: two cores have time left while tests wait, and those of concurrency bring their own
# processes.
_TEST_PROCESSES = "3"
# By this variable of the environment, all that a step started is found again.
_MARK = "COUNTINGHOUSE_GATE"
_PATIENCE_SECONDS = 30
# No killed processes, no browser, no promise with its many repetitions, no walk of every page or route, nothing that
# takes half a second by itself, no installing, starting, serving and measuring, no rules of the sources.
_FAST = (
    *("-m", "not (faults or browser or journey or prove or walk or slow)"),
    *("--ignore=tests/access", "--ignore=tests/architecture"),
    *("--ignore=tests/benchmarks", "--ignore=tests/journeys", "--ignore=tests/launcher"),
    *("--ignore=tests/mutants", "--ignore=tests/web"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One check: a command that succeeds or not."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM


def lint_steps() -> list[Step]:
    """What reads the sources, and what compares them with the database's shape."""
    templates = sorted(str(path) for path in (PROJECT / "templates").rglob("*.html"))
    return [
        Step("ruff check", _module("ruff", "check", "--no-cache", ".")),
        Step("ruff format", _module("ruff", "format", "--no-cache", "--check", "--diff", ".")),
        Step("djade", [str(_BIN / "djade"), "--target-version=5.2", "--check", *templates]),
        Step("djlint", _module("djlint", "--lint", "--quiet", "templates")),
        Step("mypy", _module("mypy")),
        Step("deptry", [str(_BIN / "deptry"), "."]),
        Step("dead code", _module("tests.dead_code")),
        Step("import-linter", [sys.executable, str(_BIN / "lint-imports"), "--no-cache"]),
        Step("deployment check", _manage("check", "--deploy", "--fail-level=WARNING"), production()),
        Step("no migration is missing", _manage("makemigrations", "--check", "--dry-run")),
        Step("migration linter", _module("tests.lint_migrations")),
    ]


def test_steps(arguments: Sequence[str], *, fast: bool) -> list[Step]:
    """All tests, or those that give an answer within minutes; one that is skipped fails."""
    chosen = _FAST if fast else ()
    command = _module("pytest", "-n", _TEST_PROCESSES, "--dist=worksteal", "--refuse-skips", "-q", *chosen, *arguments)
    return [Step("pytest", command, stop_signal=signal.SIGINT)]  # by SIGINT it takes its fixtures down


class Interruption:
    """Ends the running step when this process is told to end, and all that the step started."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._mark = secrets.token_hex(8)
        self._running: tuple[Step, subprocess.Popen[bytes]] | None = None

    def listen(self) -> None:
        """From now on SIGINT, SIGTERM and SIGHUP end the running step."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGALRM, lambda number, frame: self._kill())

    def run(self, step: Step) -> int:
        """The step's exit status. What it started and left behind is ended too."""
        parent = os.getpid()
        try:
            process = subprocess.Popen(
                step.command,
                cwd=PROJECT,
                env={**os.environ, **step.environment, _MARK: self._mark},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches us alone; we pass it on
                preexec_fn=lambda: end_with_parent(step.stop_signal, parent),  # noqa: PLW1509 - we have one thread
            )
            self._running = (step, process)
            if self.signal is not None:  # it came while the process was being made
                process.send_signal(step.stop_signal)
            return process.wait()
        finally:
            self._running = None
            signal.alarm(0)  # one that rang while this process ends would kill it
            self._kill()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Gently at first; by force at a second signal, or when it takes too long."""
        is_first, self.signal = self.signal is None, number
        if not is_first:
            self._kill()
        elif self._running is not None:
            step, process = self._running
            process.send_signal(step.stop_signal)
            signal.alarm(_PATIENCE_SECONDS)

    def _kill(self) -> None:
        kill_marked(_MARK, self._mark)


def run(steps: Sequence[Step], interruption: Interruption) -> list[str]:
    """Run the steps one after the other; the names of those that failed."""
    failed = []
    for step in steps:
        if interruption.signal is not None:
            break
        print(f"── {step.name}", flush=True)
        started = time.monotonic()
        status = interruption.run(step)
        print(f"   {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - started:.1f} s", flush=True)
        if status:
            failed.append(step.name)
    return failed


def main() -> int:
    """The command line; 1 when a check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gate", description=__doc__)
    parser.add_argument("--lint", action="store_true", help="the checks without the tests")
    parser.add_argument("--fast", action="store_true", help="the quick tests without the checks")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the calling process ends (Linux)")
    parser.add_argument("pytest_arguments", nargs="*", help="handed to pytest, after --")
    options = parser.parse_args()
    steps = [] if options.fast else lint_steps()
    steps += [] if options.lint else test_steps(options.pytest_arguments, fast=options.fast)
    if options.end_with_parent:
        end_with_parent(signal.SIGTERM, os.getppid())
    exit_if_misconfigured()
    interruption = Interruption()
    try:
        with sessions.engines():
            interruption.listen()
            failed = run(steps, interruption)
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    if interruption.signal is not None:
        print("Stopped; nothing is left running.")
        return 128 + interruption.signal
    print(f"Failed: {', '.join(failed)}." if failed else f"All {len(steps)} checks passed.")
    return 1 if failed else 0


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def production() -> dict[str, str]:
    """What production takes, made up: the check looks at settings and connects to nothing."""
    return {
        "DJANGO_ENV": "production",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(64),
        "DJANGO_ALLOWED_HOSTS": "billing.example.com",
        "PUBLIC_URL": "https://billing.example.com",
        "DATABASE_URL": "postgres://countinghouse@database.example.com/countinghouse",
        "CELERY_BROKER_URL": "redis://broker.example.com:6379/0",
        "CREDENTIAL_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "EMAIL_URL": "smtp://mail.example.com:25",
        "DEFAULT_FROM_EMAIL": "Countinghouse <billing@example.com>",
    }


if __name__ == "__main__":
    sys.exit(main())
