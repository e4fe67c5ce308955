"""`make prove` runs whatever has a full size, also where nobody marked it."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.figures import pytest_collection_modifyitems
from tests.sizes import size


class _Item:
    def __init__(self, module: object, *markers: str) -> None:
        self.module, self.markers = module, set(markers)

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.markers else None

    def add_marker(self, name: str) -> None:
        self.markers.add(name)


def _proved(items: list[Any]) -> list[bool]:
    pytest_collection_modifyitems(items)
    return [bool(item.get_closest_marker("prove")) for item in items]


@pytest.mark.parametrize("has_size", [False, True])
@pytest.mark.parametrize("marked", [(), (0,), (0, 1)])
def test_a_module_with_sizes_is_run_as_a_whole_unless_it_says_which(has_size: bool, marked: tuple[int, ...]) -> None:
    module = ModuleType("tests.of_a_promise")
    if has_size:
        vars(module)["size"] = size
    items = [_Item(module, *(["prove"] if place in marked else [])) for place in range(2)]
    expected = [(has_size and not marked) or place in marked for place in range(2)]
    assert _proved(items) == expected


def test_what_is_no_function_of_a_module_is_left_alone() -> None:
    assert _proved([SimpleNamespace(get_closest_marker=lambda name: None)]) == [False]
