"""`make test` and `make lint`: every check with its name and its seconds; one that fails does not hide the next."""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Before the launcher is asked where the state of tests lies.
os.environ["DJANGO_ENV"] = "test"

from billing_site.launcher import sessions
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.places import PROJECT

_BIN = Path(sys.executable).parent
# Two, whatever the machine has: the tests of concurrency bring their own processes.
_TEST_PROCESSES = "2"


@dataclass(frozen=True, slots=True)
class Step:
    """One check: a command that succeeds or not."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


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
        Step("import-linter", [sys.executable, str(_BIN / "lint-imports"), "--no-cache"]),
        Step("deployment check", _manage("check", "--deploy", "--fail-level=WARNING"), _production()),
        Step("no migration is missing", _manage("makemigrations", "--check", "--dry-run")),
        Step("migration linter", _module("tests.lint_migrations")),
    ]


def test_steps(arguments: Sequence[str]) -> list[Step]:
    """All tests; one that is skipped fails."""
    return [
        Step("pytest", _module("pytest", "-n", _TEST_PROCESSES, "--dist=worksteal", "--refuse-skips", "-q", *arguments))
    ]


def run(steps: Sequence[Step]) -> list[str]:
    """Run the steps one after the other; the names of those that failed."""
    failed = []
    for step in steps:
        print(f"── {step.name}", flush=True)
        started = time.monotonic()
        status = subprocess.run(
            step.command,
            cwd=PROJECT,
            env={**os.environ, **step.environment},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
        print(f"   {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - started:.1f} s", flush=True)
        if status:
            failed.append(step.name)
    return failed


def main() -> int:
    """The command line; 1 when a check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gate", description=__doc__)
    parser.add_argument("--lint", action="store_true", help="the checks without the tests")
    parser.add_argument("pytest_arguments", nargs="*", help="handed to pytest, after --")
    options = parser.parse_args()
    steps = lint_steps() + ([] if options.lint else test_steps(options.pytest_arguments))
    try:
        with sessions.engines():
            failed = run(steps)
    except LauncherError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Failed: {', '.join(failed)}." if failed else f"All {len(steps)} checks passed.")
    return 1 if failed else 0


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def _production() -> dict[str, str]:
    """What production takes, made up: the check looks at settings and connects to nothing."""
    return {
        "DJANGO_ENV": "production",
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(64),
        "DJANGO_ALLOWED_HOSTS": "billing.example.com",
        "DATABASE_URL": "postgres://countinghouse@database.example.com/countinghouse",
        "CELERY_BROKER_URL": "redis://broker.example.com:6379/0",
        "CREDENTIAL_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "PUBLIC_URL": "https://billing.example.com",
        "EMAIL_URL": "smtp://mail.example.com:25",
        "DEFAULT_FROM_EMAIL": "Countinghouse <billing@example.com>",
    }


if __name__ == "__main__":
    sys.exit(main())
