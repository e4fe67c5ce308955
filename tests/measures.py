"""`python -m tests.measures`: how the product's code reads, in figures: files, lengths, comments, and the walks.

A walk is the list of files that a reader opens to follow one action from its entry to its last effect. CONTRIBUTING
holds the lists.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from billing_site.launcher.places import PROJECT

FOLDERS = ("apps", "billing_site")
CONTRIBUTING = PROJECT / "CONTRIBUTING.md"
# What each walk is at most (spec 10, Inside an app); a refused consumption goes on from one that is accepted.
GOALS: Mapping[str, int] = {
    "One consumption": 15,
    "One refused consumption": 5,
    "One webhook": 20,
    "One staff verb": 15,
    "One sync": 20,
    "One tenant page": 12,
}


@dataclass(frozen=True, slots=True)
class Measures:
    """Lengths in lines, each list in ascending order; shares in per cent."""

    modules: list[int]
    functions: list[int]
    comment_share: float
    annotated_share: float


def sources() -> list[Path]:
    """The product's Python files, without migrations."""
    found = (path for folder in FOLDERS for path in (PROJECT / folder).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def measure(paths: list[Path]) -> Measures:
    """Read and count them."""
    modules, functions, annotated, comments, lines = [], [], 0, 0, 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        count = len(text.splitlines())
        lines += count
        if count:
            modules.append(count)
        comments += sum(1 for token in _tokens(text) if token.type == tokenize.COMMENT)
        for function in _functions(text):
            functions.append((function.end_lineno or function.lineno) - function.lineno + 1)
            annotated += _is_annotated(function)
    shares = 100 * comments / max(lines, 1), 100 * annotated / max(len(functions), 1)
    return Measures(sorted(modules), sorted(functions), *shares)


def walks(text: str) -> dict[str, list[str]]:
    """The lists of files below CONTRIBUTING's headings, by heading."""
    found = {}
    for name in GOALS:
        _, _, rest = text.partition(f"### {name}\n")
        section = rest.partition("\n#")[0]
        found[name] = re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)
    return found


def main() -> int:
    """Print the table."""
    figures = measure(sources())
    print(f"files                        {len(figures.modules):,} with {sum(figures.modules):,} lines")
    print(f"module, median / p90 / max   {_spread(figures.modules)}")
    print(f"function, median / p90 / max {_spread(figures.functions)}")
    print(f"functions annotated          {figures.annotated_share:.0f} %")
    print(f"lines with a comment         {figures.comment_share:.1f} %")
    for name, files in walks(CONTRIBUTING.read_text(encoding="utf-8")).items():
        print(f"{name:28s} {len(files)} files, should be at most {GOALS[name]}")
    return 0


def _spread(lengths: list[int]) -> str:
    return " / ".join(str(lengths[spot]) for spot in (len(lengths) // 2, len(lengths) * 9 // 10, -1))


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def _functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return all(one.annotation is not None or one.arg in {"self", "cls"} for one in named)


if __name__ == "__main__":
    sys.exit(main())
