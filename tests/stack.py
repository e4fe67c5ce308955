"""The pytest plugin that runs the embedded engines for a test session, and refuses tests that were not run.

pyproject.toml names it with `-p`, so that it is loaded before pytest-django reads the settings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any

# Before anything can read the settings: a test session never touches the development database.
os.environ["DJANGO_ENV"] = "test"
# Tests start a hundred programs; each would compile the whole product where the shell says not to keep that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import pytest

from billing_site.launcher import places, sessions
from billing_site.launcher.errors import LauncherError

given_database = pytest.StashKey[Callable[[], str]]()
"""A run that makes its databases itself says here which one to use."""
_ENGINES = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refuse-skips",
        action="store_true",
        help="A skipped test fails: what needs PostgreSQL, the broker or the browser must have run.",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """The engines run for the whole session. The workers of pytest-xdist use their controller's."""
    config = session.config
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    places.make_folder(places.make_state_folder() / "static", 0o755)  # its absence would be a warning, and so an error
    engines = ExitStack()
    try:
        engines.enter_context(sessions.engines())
    except LauncherError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_ENGINES] = engines


def pytest_unconfigure(config: pytest.Config) -> None:
    engines = config.stash.get(_ENGINES, None)
    if engines is not None:
        engines.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.getoption("--refuse-skips") and not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if collector.config.getoption("--refuse-skips"):
        _refuse_skip(report)
    return report


def _refuse_skip(report: Any) -> None:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"This test did not run, and the full gate has no tests to spare. {reason}"
