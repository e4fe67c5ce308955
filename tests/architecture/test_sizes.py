"""Modules and functions stay small enough to read without scrolling far (spec 10, Inside an app)."""

from __future__ import annotations

import ast

from tests.architecture.sources import Source, sources

LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
EVERYTHING = ("apps", "billing_site", "examples", "tests")
DRAWERS = {"utils", "helpers", "common", "manager", "managers", "misc"}


def long_functions(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno} {node.name}"
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION
    ]


def test_no_module_is_longer_than_300_lines() -> None:
    assert [f"{s.path}: {s.line_count}" for s in sources(*EVERYTHING) if s.line_count > LONGEST_MODULE] == []


def test_no_function_is_longer_than_40_lines() -> None:
    assert [where for source in sources(*EVERYTHING) for where in long_functions(source)] == []


def test_no_module_is_a_drawer() -> None:
    names = [part for source in sources(*EVERYTHING) for part in source.path.removesuffix(".py").split("/")]
    assert DRAWERS.isdisjoint(names)


def test_every_module_of_the_product_says_what_it_is() -> None:
    silent = [
        source.path
        for source in sources("apps", "billing_site")
        if ast.get_docstring(source.tree) is None and source.text.strip() and not source.path.endswith("/apps.py")
    ]
    assert silent == []


def test_the_check_finds_a_long_function() -> None:
    text = "def f():\n" + "    pass\n" * (LONGEST_FUNCTION + 1)
    assert long_functions(Source("made_up.py", text, ast.parse(text))) == ["made_up.py:1 f"]
