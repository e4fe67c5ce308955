"""How usage is cut into batches, and which entries go (spec 04, Usage to Orb). Pure."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from apps.core.amounts import MICRO
from apps.payments.rules.usage import (
    Part,
    ProductRule,
    Usage,
    as_payload,
    halve,
    is_reported,
    of_payload,
    pack,
)

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
RED, BLUE = uuid.uuid4(), uuid.uuid4()


# --- The rules, pure --------------------------------------------------------------------------------------------------
def test_batches_hold_each_entry_once_and_never_more_than_orb_takes() -> None:
    chance = random.Random(7)  # noqa: S311 - a sample
    for _ in range(200):
        parts = [Part(uuid.uuid4(), first, first + chance.randrange(0, 40)) for first in (1, 5, 900)]
        most = chance.randrange(1, 30)
        batches = list(pack(parts, most=most))
        assert all(0 < sum(part.size for part in batch) <= most for batch in batches)
        placed = [(part.organization_id, place) for batch in batches for part in batch for place in _places(part)]
        assert placed == [(part.organization_id, place) for part in parts for place in _places(part)]
        first, second = halve(batches[0])
        assert [*_all_places(first), *_all_places(second)] == _all_places(batches[0])
        assert abs(len(_all_places(first)) - len(_all_places(second))) <= 1


def _places(part: Part) -> range:
    return range(part.first, part.last + 1)


def _all_places(parts: list[Part]) -> list[tuple[uuid.UUID, int]]:
    return [(part.organization_id, place) for part in parts for place in _places(part)]


def usage(**values: object) -> Usage:
    first: dict[str, object] = {
        "entry_id": uuid.uuid4(),
        "organization_id": uuid.uuid4(),
        "product_id": RED,
        "workspace_id": None,
        "operation": "fix_run",
        "category": "regular",
        "quantity": MICRO,
        "free_quantity": 0,
        "charged": MICRO,
        "occurred_at": NOW,
        "recorded_at": NOW,
        "is_billable": True,
        "is_charged_here": True,
    }
    return Usage(**{**first, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "unpriced", "is_told"),
    [
        ({}, False, True),
        ({"charged": 0, "free_quantity": MICRO}, False, True),
        ({"product_id": BLUE}, False, False),
        ({"recorded_at": NOW - timedelta(seconds=1)}, False, False),
        ({"occurred_at": NOW - timedelta(days=30)}, False, True),
        ({"quantity": 0}, False, False),
        ({"is_billable": False}, False, False),
        ({"is_charged_here": False}, False, False),
        ({"category": "free"}, False, False),
        ({"category": "free"}, True, True),
        ({"category": "internal"}, False, False),
        ({"category": "internal"}, True, True),
    ],
)
def test_which_entries_go(values: dict[str, object], unpriced: bool, is_told: bool) -> None:
    assert is_reported(usage(**values), {RED: ProductRule("red", NOW, unpriced)}) is is_told


def test_a_batch_is_read_as_it_was_written() -> None:
    parts, rules = [Part(uuid.uuid4(), 3, 9)], {RED: ProductRule("red", NOW, includes_unpriced=True)}
    assert of_payload(as_payload(parts, rules)) == (parts, rules)
