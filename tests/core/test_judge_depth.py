"""A value from outside may be nested as deep as we say, whatever this version of Python reads."""

from __future__ import annotations

from typing import Any

import pytest

from apps.connectors.contracts import ProviderError
from apps.connectors.providers.http import read_json
from apps.core.depths import DEEPEST, is_too_deep


def nested(levels: int, *, lists: bool) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if lists else {"a": value, "b": 2}
    return value


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize(("levels", "expected"), [(0, False), (1, False), (DEEPEST, False), (DEEPEST + 1, True)])
def test_the_depth(levels: int, expected: bool, lists: bool) -> None:
    assert is_too_deep(nested(levels, lists=lists)) is expected


@pytest.mark.parametrize("levels", [500, 5_000, 200_000])
def test_the_answer_of_a_provider(levels: int) -> None:
    with pytest.raises(ProviderError, match=r"nested too deep|is not JSON"):
        read_json("The feed", b'{"a":' * levels + b"1" + b"}" * levels)
