"""A batch decides its items as the same items are decided one by one (spec 05, consume-batch)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.credits.contracts import Consumption
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry, GrantBurn
from apps.credits.services import credits_consume, credits_consume_batch
from apps.credits.services.consumption import Result
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

_SHAPES: tuple[dict[str, Any], ...] = (
    {"operation": "fix_run"},
    {"operation": "unit", "quantity": 3 * MICRO},
    {"operation": "scan", "quantity": 40 * MICRO},
    {"operation": "scan", "quantity": 70 * MICRO},
    {"operation": "review", "outcome": "failed"},
    {"operation": "unknown"},
    {"operation": "unit", "quantity": 60 * MICRO},
    {"operation": "unit", "quantity": 90 * MICRO, "on_insufficient": OnInsufficient.RECORD},
)


def one_by_one(place: Place, items: list[Consumption]) -> list[Result]:
    """What each item is answered alone."""
    results: list[Result] = []
    for item in items:
        try:
            results.append(credits_consume(place.context, consumption=item))
        except CountinghouseError as refusal:
            results.append(refusal)
    return results


def told(results: list[Result]) -> list[object]:
    """What a caller sees of the results, without ids that differ by nature."""
    return [
        result.problem_code
        if isinstance(result, CountinghouseError)
        else (result.replayed, {name: value for name, value in result.body.items() if name != "entry_id"})
        for result in results
    ]


def lines(place: Place) -> list[tuple[object, ...]]:
    """The account's entries."""
    entries = CreditEntry.objects.filter(account=place.organization.pk).order_by("sequence")
    return list(entries.values_list("kind", "operation", "amount", "balance_after", "quantity", "free_quantity"))


@pytest.mark.parametrize("seed", range(size(small=6, full=200)))
def test_a_batch_ends_like_its_items_one_by_one(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - replayed by its seed
    shapes = [chance.choice(_SHAPES) for _ in range(chance.randint(1, 25))]
    amounts = [chance.randint(1, 60) * MICRO for _ in range(3)]
    ends = []
    for slug in ("red", "blue"):
        place = make_place(slug)
        for amount in amounts:
            give(place, amount, priority=amount % 5)
        items = [consumption(place, f"{slug}-{number}", **shape) for number, shape in enumerate(shapes)]
        results = (
            credits_consume_batch(place.context, consumptions=items) if slug == "red" else one_by_one(place, items)
        )
        ends.append((told(results), lines(place), _burns(place)))
    assert ends[0] == ends[1]
    assert_sound()


def _burns(place: Place) -> list[int]:
    burns = GrantBurn.objects.filter(entry__account=place.organization.pk).order_by("entry__sequence", "pk")
    return list(burns.values_list("amount", flat=True))


def test_a_key_that_stands_twice_is_decided_once() -> None:
    place = make_place(whole_credits=10)
    item = consumption(place, "twice", operation="unit", quantity=20 * MICRO)
    other = consumption(place, "twice", operation="unit")
    results = told(credits_consume_batch(place.context, consumptions=[item, item, other]))
    assert results == ["insufficient_credits", "insufficient_credits", "idempotency_key_reused"]
    assert place.account.balance == 10 * MICRO
    assert_sound()
