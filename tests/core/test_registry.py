"""A registry takes each name once, and tells which names there are."""

from __future__ import annotations

import pytest

from apps.core.registry import Registry, RegistryError, UnknownNameError


def test_a_name_is_registered_once() -> None:
    colours: Registry[int] = Registry("colour")
    assert colours.register("red", 1) == 1
    with pytest.raises(RegistryError, match="The colour 'red' is registered twice: as 1 and as 2"):
        colours.register("red", 2)
    assert colours["red"] == 1


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    colours: Registry[int] = Registry("colour")
    with pytest.raises(UnknownNameError) as none_yet:
        colours["green"]
    assert str(none_yet.value) == "There is no colour 'green'. There are: none."
    colours.register("red", 1)
    colours.register("blue", 2)
    with pytest.raises(KeyError) as refused:
        colours["green"]
    assert str(refused.value) == "There is no colour 'green'. There are: blue, red."
    assert colours.get("green") is None
    assert list(colours) == ["red", "blue"]
