"""The pytest plugin that prints one line a promise: figure, size, seed, seconds, what the control showed (spec 11).

A test says its figure with its marker: `@pytest.mark.prove("no double spend", size=5_000, control="...")`. `control`
says what the negative control beside it shows; the control is a test of its own, and fails when it shows nothing. What
a test measures it adds by `record_property("measured", "peak 12 MiB")`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.sizes import size


@pytest.hookimpl(tryfirst=True)  # before the tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever has a full size is run by `make prove`: a module with `size` in which no test is marked, as a whole."""
    modules: dict[Any, list[pytest.Item]] = {}
    for item in items:
        module = getattr(item, "module", None)
        if getattr(module, "size", None) is size:
            modules.setdefault(module, []).append(item)
    for tests in modules.values():
        if not any(item.get_closest_marker("prove") for item in tests):
            for item in tests:
                item.add_marker("prove")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marker = item.get_closest_marker("prove")
    if report.when == "call" and marker is not None and marker.args:
        size = f"size {marker.kwargs['size']:,}" if "size" in marker.kwargs else ""
        seed = f"seed {item.config.getoption('randomly_seed', '')}"
        control = f"control: {marker.kwargs['control']}" if "control" in marker.kwargs else ""
        measured = [str(value) for name, value in item.user_properties if name == "measured"]
        parts = [part for part in (marker.args[0], size, *measured, seed, control) if part]
        report.user_properties.append(("figure", " | ".join(parts)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the promises that were kept, in the order of their tests; one line for all cases of a figure."""
    broken = set(_figures(terminalreporter, "failed"))
    for figure, seconds in _figures(terminalreporter, "passed").items():
        if figure not in broken:
            terminalreporter.write_line(f"kept in {seconds:6.1f} s  {figure}")


def _figures(terminalreporter: pytest.TerminalReporter, outcome: str) -> dict[str, float]:
    """How long the cases of each figure took that ended so."""
    seconds: dict[str, float] = {}
    for report in terminalreporter.stats.get(outcome, []):
        for name, figure in report.user_properties:
            if name == "figure":
                seconds[figure] = seconds.get(figure, 0.0) + report.duration
    return seconds
