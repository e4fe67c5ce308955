"""Where faults are looked for, every one of them, and those that no test can notice."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tests.architecture.sources import PROJECT
from tests.mutants import python_faults, sql_faults

PYTHON = (
    "apps/*/rules/*.py",
    "apps/tenants/access.py",
    "apps/tenants/resolver.py",
    "apps/core/amounts.py",
    "apps/core/canonical.py",
    "apps/core/operations.py",
    "apps/payments/processing.py",
    "apps/payments/workspace_sync.py",
)
# Thousands of faults more, for which an hour is not enough: they are tried where their paths are named.
SERVICES = ("apps/*/services/*.py",)
SQL = "apps/*/migrations/sql/*/*.sql"
SURVIVORS = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where, what, and how it is made; for SQL also the function and the files that call it."""

    file: str
    line: int
    change: str
    number: int
    sql: str = ""
    function: str = ""
    callers: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same while lines move: the file, the text of the line, and the change."""
        lines = (PROJECT / self.file).read_text(encoding="utf-8").splitlines()
        return self.file, lines[self.line - 1].strip() if self.line else "", self.change

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.change}"


def all_faults(only: Sequence[str]) -> Iterator[Fault]:
    """Every fault that we know how to make in rules, guards and SQL, or below the named paths, services among them."""
    for fault in chain(_python_faults(PYTHON), _sql_faults(), _python_faults(SERVICES if only else ())):
        if not only or fault.file.startswith(tuple(only)):
            yield fault


def _python_faults(patterns: Sequence[str]) -> Iterator[Fault]:
    for pattern in patterns:
        for file, text in _texts(pattern).items():
            for number, (line, change) in enumerate(python_faults.faults(ast.parse(text))):
                yield Fault(file, line, change, number)


def _sql_faults() -> Iterator[Fault]:
    sources = {file: ast.parse(text) for file, text in _texts("apps/**/*.py").items() if "/migrations/" not in file}
    # Queries stand in strings; functions of Python can have the same names.
    queries = {
        file: " ".join(str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant))
        for file, tree in sources.items()
    }
    for one in sorted(sql_faults.standing(_texts(SQL), queries), key=lambda one: (one.file, one.before)):
        for number, (line, change, wrong) in enumerate(sql_faults.faults(one.statement)):
            yield Fault(one.file, one.before + line, change, number, wrong, one.function, one.callers)


def _texts(pattern: str) -> dict[str, str]:
    return {
        path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(PROJECT.glob(pattern))
    }


def survivors_known() -> dict[tuple[str, str, str], str]:
    """The faults that no test can notice, with the reason."""
    rows = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    return {
        (row["file"], row["line"], change): row["why"]
        for row in rows
        for change in row.get("changes", [row.get("change")])
    }
