"""The pytest plugin that notes which problem codes the tests provoke; the whole suite must provoke every one.

An error counts when the product itself makes it: the modules of the product that were at work say who refused. At the
end of a whole session each code of `tests.architecture.problem_codes` without such an error fails the session.
"""

from __future__ import annotations

import sys
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from apps.core.errors import CountinghouseError
from tests.architecture.problem_codes import ANYWHERE, WrittenCode, codes_of_product
from tests.architecture.sources import PROJECT

_PROVOKED = pytest.StashKey[set[WrittenCode]]()
_WORKER_NOTE = "provoked_codes"


def unprovoked(written: AbstractSet[WrittenCode], provoked: set[WrittenCode]) -> list[str]:
    """The codes that no test provoked, with the module that should have."""
    return sorted(f"{code} ({path or 'any module'})" for code, path in written - provoked)


def note(provoked: set[WrittenCode], codes: set[str], frame: FrameType | None) -> None:
    """Keep the codes, once for each module of the product that is at work; nothing when none is."""
    paths = set()
    while frame is not None:
        paths.add(_path_in_product(frame.f_code.co_filename))
        frame = frame.f_back
    paths -= {None, "apps/core/errors.py"}
    if paths:
        provoked.update(WrittenCode(code, path or ANYWHERE) for code in codes for path in (*paths, ANYWHERE))


@cache
def _path_in_product(filename: str) -> str | None:
    path = Path(filename)
    if not path.is_relative_to(PROJECT / "apps"):
        return None
    return path.relative_to(PROJECT).as_posix()


def pytest_configure(config: pytest.Config) -> None:
    provoked = config.stash.setdefault(_PROVOKED, set())
    make = CountinghouseError.__init__

    def make_and_note(self: CountinghouseError, detail: str, **values: Any) -> None:
        make(self, detail, **values)
        note(provoked, {self.problem_code, *(error.code for error in self.errors)}, sys._getframe(1))

    CountinghouseError.__init__ = make_and_note  # type: ignore[method-assign]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Problems that are no `CountinghouseError` are noted when they are answered."""
    from apps.core import pages  # noqa: PLC0415 - needs the settings
    from apps.core.wire.problems import Problem, ProblemResponse  # noqa: PLC0415

    provoked, answer, page_of = session.config.stash[_PROVOKED], ProblemResponse.__init__, pages.page_of

    def answer_and_note(self: ProblemResponse, problem: Problem) -> None:
        note(provoked, {problem.code}, sys._getframe(1))
        answer(self, problem)

    def show_and_note(problem: Problem, path: str) -> Any:
        note(provoked, {problem.code}, sys._getframe(1))
        return page_of(problem, path)

    ProblemResponse.__init__ = answer_and_note  # type: ignore[method-assign]
    pages.page_of = show_and_note


def pytest_testnodedown(node: Any, error: object) -> None:
    """What a worker of pytest-xdist provoked."""
    codes = getattr(node, "workeroutput", {}).get(_WORKER_NOTE, [])
    node.config.stash[_PROVOKED].update(WrittenCode(*code) for code in codes)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    provoked = config.stash[_PROVOKED]
    if hasattr(config, "workeroutput"):
        # Plain tuples: nothing else goes from a worker to its controller.
        config.workeroutput[_WORKER_NOTE] = [tuple(code) for code in sorted(provoked)]
    elif _is_whole(config) and unprovoked(codes_of_product(), provoked):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    if not _is_whole(config):
        return
    missing = unprovoked(codes_of_product(), config.stash[_PROVOKED])
    if missing:
        terminalreporter.section("problem codes that no test provokes", red=True)
        terminalreporter.write_line("\n".join([*missing, "Write a test that gets each of these refusals."]))


def _is_whole(config: pytest.Config) -> bool:
    """Whether every test ran: nothing was named, chosen or left out."""
    option = config.option
    named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    chosen = option.keyword or option.markexpr or option.collectonly or option.maxfail or option.deselect
    return not named and not chosen and not hasattr(config, "workerinput")
