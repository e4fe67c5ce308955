"""Rules name the members of an enumeration: unpacked by position, sorting its members would swap the rules."""

from __future__ import annotations

import ast

from tests.architecture.sources import Source, sources


def unpacked_by_position(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}"
        for node in source.nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.Name)
        and node.value.id[0].isupper()
        and not node.value.id.isupper()
    ]


def test_no_enumeration_is_unpacked() -> None:
    assert [where for source in sources("apps", "billing_site") for where in unpacked_by_position(source)] == []


def test_the_check_finds_one() -> None:
    line = "_ACTIVE, _ENDED = SubscriptionState"
    assert unpacked_by_position(Source("made_up.py", line, ast.parse(line))) == ["made_up.py:1"]
