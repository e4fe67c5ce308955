"""`python -m tests.dead_code`: functions, classes and methods of the product that nothing in the product uses.

vulture finds what no Python code names. What a template, a setting or a route names as text is in use too, and so is
what a decorator registers, or a class of Django, DRF or another package calls.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

import django
import vulture

from billing_site.launcher.places import PROJECT

PATHS = ("apps", "billing_site", "manage.py")
_KINDS = frozenset({"function", "class", "method", "property"})
_DECORATORS = (
    "@*register*",
    "@*outbox_handler*",
    "@receiver",
    "@*shared_task*",
    "@*.connect*",
    "@*task*",
    "@section",
    "@*validator*",
)
# Called by name, as the documentation of Django, Celery and granian says, though no class of theirs has the name.
_CALLED = frozenset(
    {"to_url", "process_exception", "process_view", "format_value", "get_help_text", "create_superuser"}
)
# Each file of this folder is loaded, and the class in it taken.
_FOUND_BY_THEIR_FOLDER = "apps/connectors/providers/"
# What only tests call, and why the product has it.
_FOR_TESTS = frozenset(
    {
        "forget_all",  # no test lends another what a process remembers
        "armed",  # the fault tests stop the product at its failpoints
        "end_silence",  # a test plays a broker that is back
        "read_from",  # tests put a provider of their own in the place of the real one
        "declared_routes",  # the access table holds each route to its operation
    }
)
_CALLED_WITH_A_FIELD = ("clean_",)
# Whoever is a subclass of these is in use by being there.
_FOUND_BY_THEIR_BASE = ("AppConfig", "OpenApiSerializerExtension", "OpenApiSerializerFieldExtension")


def unused(root: Path = PROJECT) -> list[str]:
    """A line for each name that nothing uses: its file, line, kind and name."""
    finder = vulture.Vulture(ignore_decorators=list(_DECORATORS))
    finder.scavenge([str(root / path) for path in PATHS], exclude=["*/migrations/*"])
    named = {*_named_as_text(root), *_CALLED, *_FOR_TESTS}
    return sorted(
        f"{item.filename.relative_to(root)}:{item.first_lineno}: {item.typ} {item.name}"
        for item in finder.get_unused_code()
        if item.typ in _KINDS
        and item.name not in named
        and not (item.typ == "class" and str(item.filename.relative_to(root)).startswith(_FOUND_BY_THEIR_FOLDER))
        and not item.name.startswith(_CALLED_WITH_A_FIELD)
        and not _is_inherited(item.filename, item.first_lineno, item.name, root)
    )


def _is_inherited(file: Path, line: int, name: str, root: Path) -> bool:
    """Whether a class that is not ours gave a method its name, or finds its subclasses itself."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and _first_line(node) <= line <= (node.end_lineno or line):
            module = import_module(".".join(file.relative_to(root).with_suffix("").parts))
            foreign = [
                base
                for base in getattr(module, node.name, object).__mro__[1:]  # a class inside another is judged with it
                if not base.__module__.startswith(("apps.", "billing_site."))
            ]
            if any(base.__name__ in _FOUND_BY_THEIR_BASE or name in vars(base) for base in foreign):
                return True
    return False


def _first_line(node: ast.ClassDef) -> int:
    return min(node.lineno, *(one.lineno for one in node.decorator_list)) if node.decorator_list else node.lineno


def _named_as_text(root: Path) -> Iterator[str]:
    for template in (root / "templates").rglob("*"):
        if template.is_file():
            yield from re.findall(r"\w+", template.read_text(encoding="utf-8"))
    for path in PATHS:
        files = (root / path).rglob("*.py") if (root / path).is_dir() else [root / path]
        for file in files:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                # Dotted paths, names of attributes and methods; sentences name nothing.
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                    yield from re.split("[.:]", node.value)


def main() -> int:
    """1 where something is unused."""
    django.setup()
    found = unused()
    for line in found:
        print(line)
    if found:
        print(f"{len(found)} names that the product does not use. Delete each, with the tests that alone use it.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
