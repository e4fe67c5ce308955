"""Every problem code that the product's sources write down, and the module that writes it.

What the web server refuses before Django (`billing_site/web/refusals.py`) is asked for by `tests/web`, over HTTP.
A code is written as an error class's own (`code = "…"`), or as an argument named `code` of a call: by its name, or by
its place where the called function or record has a parameter or field `code`. The codes of single fields count too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from apps.credits.enums import HoldStatus, Owned
from tests.architecture.sources import Source, sources

ANYWHERE = ""
# Codes that are put together or handed on as a text: no call names them.
COMPUTED = {
    "apps/connectors/oauth/client.py": {"google_not_configured"},
    "apps/connectors/services/authorizations.py": {"not_by_google"},
    "apps/credits/ownership.py": {f"{kind.value}_of_another_product" for kind in Owned},
    "apps/credits/refusals.py": {
        *(f"hold_{status.value}" for status in HoldStatus if status is not HoldStatus.OPEN),
        "not_a_member",
        "lifecycle_denied",
        "unknown_operation",
    },
}
# What these modules refuse becomes an error elsewhere, so that any error with the code counts.
_HANDED_ON = (
    "apps/core/wire/",
    "apps/credits/api/bodies.py",
    "apps/tenants/api/snapshot_bodies.py",
    "apps/tenants/closing_rules.py",
    "apps/tenants/resolver.py",
    "apps/connectors/providers/http.py",
    "apps/connectors/providers/registry.py",
)
# Their codes are no problem's: a command's exit, an OAuth server's code, the outcome of a sync, an answer of the gate.
_OTHER_CALLS = frozenset(
    {"CommandError", "exchange_code", "AuthorizationResponse", "ProviderError", "Answer", "Decision"}
)
_OTHER_MODULES = (
    "apps/backoffice/",
    "apps/connectors/sync/engine.py",
    # Codes of Django's form errors, which become sentences beside a field.
    "apps/core/form_fields.py",
    "apps/tenants/forms.py",
    "apps/tenants/password_rules.py",
)


class WrittenCode(NamedTuple):
    """A code, and the module that must be on the way to an error with it; `ANYWHERE` where no module must."""

    code: str
    path: str


@cache
def codes_of_product() -> frozenset[WrittenCode]:
    """Every code that the product writes down."""
    return frozenset(written_codes(sources("apps")))


def written_codes(written: Sequence[Source]) -> set[WrittenCode]:
    """All codes of the sources, the computed ones included."""
    places = {source.path: dict(_places_of_code(source.nodes)) for source in written}
    found = {WrittenCode(code, ANYWHERE) for source in written for code in _codes_of_classes(source.nodes)}
    for source in written:
        if not source.path.startswith(_OTHER_MODULES):
            codes = {*_codes_of_calls(source.nodes, _known_places(source, places)), *COMPUTED.get(source.path, ())}
            path = ANYWHERE if source.path.startswith(_HANDED_ON) else source.path
            found |= {WrittenCode(code, path) for code in codes}
    return found


def _places_of_code(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Name of each function and record with a parameter or field `code`, and where it stands among the others."""
    for node in nodes:
        names: list[str] = []
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args]
        elif isinstance(node, ast.ClassDef):
            fields = [line.target for line in node.body if isinstance(line, ast.AnnAssign)]
            names = [field.id for field in fields if isinstance(field, ast.Name)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and "code" in names:
            yield node.name, names.index("code")


def _known_places(source: Source, places: dict[str, dict[str, int]]) -> dict[str, int]:
    """What the module itself defines, and what it imports from another one."""
    # `problems.Problem` is the one that is named by its module.
    known = {"Problem": 1, **places[source.path]}
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            there = places.get(f"{node.module.replace('.', '/')}.py", {})
            known |= {name.asname or name.name: there[name.name] for name in node.names if name.name in there}
    return {name: place for name, place in known.items() if name not in _OTHER_CALLS}


def _codes_of_classes(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                yield code


def _codes_of_calls(nodes: Iterable[ast.AST], places: dict[str, int]) -> Iterator[str]:
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        given = [keyword.value for keyword in node.keywords if keyword.arg == "code" and name not in _OTHER_CALLS]
        if name in places and (isinstance(node.func, ast.Name) or name == "Problem"):
            given += node.args[places[name] : places[name] + 1]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value
