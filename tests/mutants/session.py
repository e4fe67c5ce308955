"""Runs tests in a child process of our own, whose product differs from the sources: by a fault, or by taking notes.

Nothing is written to the sources: the child imports the changed module from memory. It has a database of its own, a
copy of one that was made with all migrations, so that whatever a fault does there is gone with the child.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import os
import signal
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from tests.architecture.sources import PROJECT

Trees = Mapping[str, Callable[[], ast.Module]]
NOTER = "__note_line__"
BROKEN = 70  # the status of a child whose work could not be done
# Browsers, killed processes and the large tables take minutes and say little about one line.
NOT_RUN = "not browser and not faults and not journey"


@dataclass(slots=True)
class Notes:
    """Which test ran which lines of the noted modules, and how long each took."""

    lines: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


class _Finder(PathFinder):
    """Finds the changed modules first."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:  # type: ignore[override]
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin and spec.origin.startswith(str(PROJECT)):
            file = Path(spec.origin).relative_to(PROJECT).as_posix()
            if file in self._trees:
                loader = _Loader(spec.origin, self._trees[file])
                return importlib.util.spec_from_file_location(
                    name, spec.origin, loader=loader, submodule_search_locations=spec.submodule_search_locations
                )
        return spec


class _Loader(SourceLoader):
    def __init__(self, path: str, tree: Callable[[], ast.Module]) -> None:
        self._path, self._tree = path, tree

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree(), self._path, "exec", dont_inherit=True)


def noting_tree(file: str) -> ast.Module:
    """The module with a note before each statement of its functions."""
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for holder in ast.walk(function):
                for name in ("body", "orelse", "finalbody"):
                    statements = getattr(holder, name, None)
                    if isinstance(statements, list):
                        setattr(holder, name, [part for one in statements for part in _noted(one, file)])
    return ast.fix_missing_locations(tree)


def _noted(statement: ast.stmt, file: str) -> list[ast.stmt]:
    is_noted = isinstance(statement, ast.Expr) and ast.unparse(statement).startswith(NOTER)
    if is_noted or isinstance(statement, ast.Nonlocal | ast.Global):
        return [statement]
    note = ast.parse(f"{NOTER}({file!r}, {statement.lineno})").body[0]
    return [ast.copy_location(note, statement), statement]


class Plugin:
    """Chooses the tests, gives them their database, and says what each of them ran.

    `database` is called by the first test that needs one, and answers its name.
    """

    def __init__(self, database: Callable[[], str], chosen: Sequence[str] = (), notes: Notes | None = None) -> None:
        self.database = database
        self._order = {test: place for place, test in enumerate(chosen)}
        self._notes = notes
        self._ran: set[tuple[str, int]] = set()

    def note_line(self, file: str, line: int) -> None:
        self._ran.add((file, line))

    def pytest_collection(self, session: pytest.Session) -> None:
        from tests.stack import given_database  # noqa: PLC0415 - pytest loads this plugin itself, and must be the first

        # What a copy has instead is known only later.
        session.config.stash[given_database] = lambda: self.database()  # noqa: PLW0108

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._order:
            items[:] = sorted(
                (item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid]
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._ran.clear()
        started = time.monotonic()
        result = yield
        if self._notes is not None:
            self._notes.lines[item.nodeid] = set(self._ran)
            self._notes.seconds[item.nodeid] = time.monotonic() - started
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._notes is not None and report.failed:
            self._notes.failed.add(report.nodeid)


def run_in_child(work: Callable[[], int], trees: Trees, *, log: Path) -> int:
    """Start a child that sees the changed modules; answers its process id. What `work` answers is its status."""
    parent, child = os.getpid(), os.fork()
    if child:
        return child
    status = BROKEN
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    try:
        os.setpgid(0, 0)
        with log.open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        sys.meta_path.insert(0, _Finder(trees))
        status = work()
    except BaseException:  # noqa: BLE001 - this process ends here, whatever happened
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _end_with(parent: int) -> None:
    """End this child, whatever it is doing, when the process that started it has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


def run_tests(plugin: Plugin, files: Sequence[str], *more: str) -> int:
    """In a child: run the tests of these files that the plugin chooses."""
    setattr(builtins, NOTER, plugin.note_line)
    arguments = ["-q", "-n0", "-pno:randomly", "-pno:cacheprovider", "--no-header", "--tb=line", f"-m{NOT_RUN}"]
    return int(pytest.main([*arguments, *more, *files], plugins=[plugin]))


def tests_of_lines(notes: Notes) -> dict[tuple[str, int], list[str]]:
    """For each line the tests that ran it: those that run least else first, then the quick ones."""
    found = defaultdict(list)
    for test in sorted(notes.lines, key=lambda test: (len(notes.lines[test]) // 20, notes.seconds[test])):
        for place in notes.lines[test]:
            found[place].append(test)
    return found
