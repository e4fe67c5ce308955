"""How usage is cut into batches, and which entries go (spec 04, Usage to Orb). Pure."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.core.amounts import MICRO
from apps.payments.rules.usage import (
    Part,
    ProductRule,
    Usage,
    as_payload,
    event_of,
    gaps,
    halve,
    ingested_event,
    is_reported,
    of_payload,
    pack,
    was_told,
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
        ({"quantity": 1}, False, True),
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
    until, occurred = NOW + timedelta(hours=1), (NOW - timedelta(days=1), NOW)
    for window in ({"reports_until": until}, {"occurred": occurred}, {"reports_until": until, "occurred": occurred}):
        rules = {RED: replace(rules[RED], **window)}
        written = json.loads(json.dumps(as_payload(parts, rules)))
        assert of_payload(written) == (parts, rules)


@pytest.mark.parametrize("workspace_id", [None, uuid.uuid4()])
def test_an_event_says_numbers_and_whose_they_are(workspace_id: uuid.UUID | None) -> None:
    """Whole quantities are in millionths; `paid_by` is of the charge as it was, whatever was given back since."""
    entry = usage(workspace_id=workspace_id, quantity=2_500_000, free_quantity=1, charged=3 * MICRO)
    event = ingested_event(entry, ProductRule("red", NOW), given_back=3 * MICRO - 1)
    assert event == {
        "idempotency_key": str(entry.entry_id),
        "event_name": "red.fix_run",
        "external_customer_id": str(entry.organization_id),
        "timestamp": "2026-04-01T12:00:00.000000Z",
        "properties": {
            "quantity": "2.5",
            "quantity_micro": 2_500_000,
            "free_quantity_micro": 1,
            "category": "regular",
            "charged": "0.000001",
            "charged_micro": 1,
            "paid_by": "credits",
            "workspace_id": "" if workspace_id is None else str(workspace_id),
        },
    }
    free = ingested_event(usage(charged=0), ProductRule("red", NOW))["properties"]
    assert (free["charged_micro"], free["paid_by"]) == (0, "none")
    named = event_of(usage(charged=3), ProductRule("red", NOW))["properties"]
    assert named["charged_micro"] == 3


def test_of_a_product_only_what_is_priced_goes_unless_it_says_otherwise() -> None:
    assert not is_reported(usage(category="free"), {RED: ProductRule("red", NOW)})


def _rule(first: int, last: int | None) -> ProductRule:
    return ProductRule("red", _day(first), reports_until=None if last is None else _day(last))


def _day(number: int) -> datetime:
    return NOW + timedelta(days=number)


@pytest.mark.parametrize(
    ("since", "periods", "expected"),
    [
        (0, [(5, None)], [(0, 5)]),
        (5, [(5, None)], []),
        (7, [(5, None)], []),
        (0, [(2, 4), (6, None)], [(0, 2), (4, 6)]),
        (3, [(2, 4), (6, None)], [(4, 6)]),
        (0, [(0, 4), (4, None)], []),
        (0, [(2, 2), (6, None)], [(0, 2), (2, 6)]),
        (0, [(1, 5), (2, 3), (7, None)], [(0, 1), (5, 7)]),
    ],
)
def test_what_orb_was_not_told_of_lies_between_the_periods(
    since: int, periods: list[tuple[int, int | None]], expected: list[tuple[int, int]]
) -> None:
    rules = [_rule(*period) for period in periods]
    found = gaps(_day(since), rules)
    assert found == [(_day(begin), _day(end)) for begin, end in expected]
    # Whatever was recorded since then is of one gap, or was told, never both.
    for number in range(since, 9):
        recorded = usage(recorded_at=_day(number))
        in_gaps = sum(begin <= recorded.recorded_at < end for begin, end in found)
        assert in_gaps == (not was_told(recorded, rules))


def test_a_rule_with_a_time_takes_what_occurred_and_was_recorded_then() -> None:
    rule = ProductRule("red", _day(0), reports_until=_day(10), occurred=(_day(-5), _day(2)))
    for occurred in (-6, -5, 1, 2):
        for recorded in (-1, 0, 9, 10):
            entry = usage(occurred_at=_day(occurred), recorded_at=_day(recorded))
            assert is_reported(entry, {RED: rule}) == (-5 <= occurred < 2 and 0 <= recorded < 10)
    assert of_payload(as_payload([], {RED: rule}))[1] == {RED: rule}
