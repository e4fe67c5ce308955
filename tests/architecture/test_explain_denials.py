"""Every denial of a caller's rights says by which rule: no `ForbiddenError` of ours leaves its explanation out."""

from __future__ import annotations

import ast

from apps.core.errors import ForbiddenError
from apps.core.wire.problems import problem_of
from tests.architecture.sources import Source, sources


def unexplained(found: tuple[Source, ...]) -> list[str]:
    """The places that raise a denial without an explanation, or refuse with Django's, which has none."""
    places = []
    for source in found:
        for node in source.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                names = {keyword.arg for keyword in node.keywords}
                if node.func.id == "PermissionDenied" or (
                    node.func.id == "ForbiddenError" and not {"explanation", None} & names
                ):
                    places.append(f"{source.path}:{node.lineno}")
    return places


def test_every_denial_names_its_rule() -> None:
    assert unexplained(sources("apps")) == []


def test_a_denial_without_a_rule_is_found() -> None:
    text = "raise ForbiddenError('No.')\nraise PermissionDenied('No.')\nraise ForbiddenError('No.', explanation=why)\n"
    assert unexplained((Source("made_up.py", text, ast.parse(text)),)) == ["made_up.py:1", "made_up.py:2"]


def test_a_denial_always_carries_something_that_explains_it() -> None:
    document = problem_of(ForbiddenError("You are a viewer.", code="not_a_member")).document()
    assert document["explanation"] == [{"rule": "not_a_member", "outcome": "deny", "fact": "You are a viewer."}]
