"""From a reported run to the ledger's rows: through no more modules than CONTRIBUTING lists (spec 10)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.test import Client

from tests.architecture.sources import PROJECT
from tests.credits.cast import Place, make_place
from tests.credits.test_ask_over_http import asker, run
from tests.measures import CONTRIBUTING, walks

pytestmark = pytest.mark.django_db

# What every request passes, and small functions of `core` that a reader need not open: their names say it all.
EVERYWHERE = ("apps/core/observability/", "apps/core/postgresql/", "apps/core/wire/security_headers.py")
PLAIN = frozenset(
    f"apps/core/{name}.py"
    for name in (
        *("amounts", "canonical", "clock", "errors", "failpoints", "input_text", "locks"),
        *("wire/hot_path", "wire/fields", "wire/problems", "wire/refusals", "wire/serializers", "wire/values"),
    )
)
# Read for a word of theirs alone: who called, how the balance is called, how a chain is written down.
VOCABULARY = {"apps/tenants/contracts.py", "apps/credits/rules/allocation.py", "apps/subscriptions/rules/answers.py"}


@contextmanager
def modules_passed() -> Iterator[set[str]]:
    """The files of the product whose functions are called in the block."""
    found: set[str] = set()

    def note(frame: FrameType, what: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if what == "call" and file.startswith(f"{PROJECT}/apps/"):
            found.add(Path(file).relative_to(PROJECT).as_posix())

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def to_open(found: set[str]) -> set[str]:
    return {file for file in found if not file.startswith(EVERYWHERE)} - PLAIN - VOCABULARY


@pytest.fixture
def place() -> Place:
    return make_place(whole_credits=100)


@pytest.fixture
def call(client: Client, place: Place) -> Callable[..., tuple[int, Any]]:
    return asker(client, place)


def test_a_consumption_passes_what_contributing_lists(call: Callable[..., tuple[int, Any]], place: Place) -> None:
    lists = walks(CONTRIBUTING.read_text(encoding="utf-8"))
    told = set(lists["One consumption"])
    call("POST", "credits:consume", run(place))  # the process remembers token and policy from here on
    with modules_passed() as found:
        assert call("POST", "credits:consume", run(place))[0] == 201
    # The route and the body are declared, not called.
    assert to_open(found) == told - {"apps/credits/api/urls.py", "apps/credits/api/bodies.py"}
    with modules_passed() as found:
        assert call("POST", "credits:consume", run(place, quantity="1000"))[0] == 402
    assert to_open(found) - told == set(lists["One refused consumption"])
