"""Where faults are looked for, every one of them, and those that no test can notice."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    "apps/*/services/*.py",
)
SQL = ("apps/*/migrations/sql/*/*.sql",)
SURVIVORS = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where, what, and how it is made."""

    file: str
    line: int
    change: str
    number: int
    sql: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same while lines move: the file, the text of the line, and the change."""
        lines = (PROJECT / self.file).read_text(encoding="utf-8").splitlines()
        return self.file, lines[self.line - 1].strip() if self.line else "", self.change

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.change}"


def all_faults(only: Sequence[str]) -> Iterator[Fault]:
    """Every fault that we know how to make, below the named paths."""
    for pattern in (*PYTHON, *SQL):
        for path in sorted(PROJECT.glob(pattern)):
            file, text = path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8")
            if only and not file.startswith(tuple(only)):
                continue
            if path.suffix == ".sql":
                for number, (line, change, wrong) in enumerate(sql_faults.faults(text)):
                    yield Fault(file, line, change, number, wrong)
            else:
                for number, (line, change) in enumerate(python_faults.faults(ast.parse(text))):
                    yield Fault(file, line, change, number)


def survivors_known() -> dict[tuple[str, str, str], str]:
    """The faults that no test can notice, with the reason."""
    rows = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    return {(row["file"], row["line"], row["change"]): row["why"] for row in rows}
