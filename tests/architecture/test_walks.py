"""The walks of CONTRIBUTING name files that exist, and don't grow (spec 10)."""

from __future__ import annotations

import pytest

from billing_site.launcher.places import PROJECT
from tests.measures import CONTRIBUTING, GOALS, measure, sources, walks

WALKS = walks(CONTRIBUTING.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GOALS)
def test_each_walk_is_written_down_and_no_longer_than_it_was(name: str) -> None:
    files = WALKS[name]
    assert 3 <= len(files) <= GOALS[name]
    assert len(set(files)) == len(files)
    assert [file for file in files if not (PROJECT / file).is_file()] == []


def test_a_list_is_read_up_to_the_next_heading() -> None:
    text = "### One sync\nWhy.\n\n1. `a.py`: begins\n2. `b.py`\n\n### One webhook\n\n1. `c.py`\n"
    assert (walks(text)["One sync"], walks(text)["One webhook"]) == (["a.py", "b.py"], ["c.py"])


def test_every_function_of_the_product_is_annotated() -> None:
    assert measure(sources()).annotated_share == 100
