"""The product's own source files, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: str
    text: str
    tree: ast.Module

    @property
    def line_count(self) -> int:
        return self.text.count("\n")

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the tree; `ast.walk` takes seconds for the whole product, so each file is walked once."""
        return tuple(ast.walk(self.tree))


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below the folders, migrations left out."""
    return tuple(_read(path) for folder in folders for path in _files(PROJECT / folder))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts)


@cache
def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(str(path.relative_to(PROJECT)), text, ast.parse(text))
