"""What a price preview asks for and what it remembers, and whom it tells (spec 05, Policy). Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from functools import partial

import pytest

from apps.core.amounts import MICRO
from apps.credits.rules import price_preview
from apps.credits.rules.price_preview import Compared, Place, PricePreview, PriceReplay, UseGroup
from apps.credits.rules.pricing import Price, charge_for
from tests.credits.test_compare_prices import DRAFT, all_in_order

ACCOUNT, APRIL = uuid.UUID(int=7), date(2026, 4, 1)


def uses_of(place: Place, *quantities: int) -> list[UseGroup]:
    return [UseGroup(*place, True, quantity, 1, 0, quantity, quantity, quantity, 0) for quantity in quantities]


@pytest.mark.parametrize("used_before", [0, 4 * MICRO])
def test_what_the_free_quantity_covers_to_its_end_needs_no_order(used_before: int) -> None:
    place, asked = Place(ACCOUNT, "vast", APRIL), list[Mapping[Place, int]]()

    def note(places: Mapping[Place, int]) -> list[tuple[Place, int]]:
        asked.append(places)
        return []

    replay = PriceReplay(DRAFT)
    if used_before:
        replay.use_up(place, used_before)
    replay.add(uses_of(place, 10 * MICRO, 20 * MICRO - used_before), note)
    assert (replay.result().total.would_charge, asked) == (0, [])
    # Nothing is left: every later use is charged as a whole, and still none needs an order.
    replay.add(uses_of(place, 1, 2), note)
    assert (replay.result().total.would_charge, asked) == (3 * 10**9, [])


def test_a_price_is_computed_once_and_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    computed, place = list[int](), Place(ACCOUNT, "vast", APRIL)

    def note(price: Price, quantity: int) -> int:
        computed.append(quantity)
        return charge_for(price, quantity)

    monkeypatch.setattr(price_preview, "charge_for", note)
    monkeypatch.setattr(price_preview, "_MOST_REMEMBERED", 2)
    replay = PriceReplay(DRAFT)
    replay.use_up(place, 30 * MICRO)
    replay.add(uses_of(place, 1, 2, 2, 1, 3, 3), partial(all_in_order, []))
    assert computed == [1, 2, 3, 3]
    assert [quantity for _, quantity, _ in replay.known_charges(99)] == [1, 2]
    assert replay.result().total.would_charge == 12 * 10**9


def test_of_accounts_that_change_alike_the_first_ones_are_told() -> None:
    replay, accounts = PriceReplay(DRAFT), [uuid.UUID(int=number) for number in (9, 3, 5, 1)]
    for account_id in accounts:
        place = Place(account_id, "vast", APRIL)
        replay.use_up(place, 30 * MICRO)
        replay.add(uses_of(place, 1), partial(all_in_order, []))
    assert [account_id for account_id, _ in replay.result(at_most=3).accounts] == sorted(accounts)[:3]


def test_of_many_accounts_ten_are_told_and_all_are_counted() -> None:
    replay = PriceReplay(DRAFT)
    for number in range(12):
        place = Place(uuid.UUID(int=number), "vast", APRIL)
        replay.use_up(place, 30 * MICRO)
        replay.add(uses_of(place, number), partial(all_in_order, []))
    found = replay.result()
    assert [account_id.int for account_id, _ in found.accounts] == list(range(11, 1, -1))
    assert found.changed_accounts == 11, "of the first one nothing was used, and nothing changes"


def test_a_replay_of_nothing_says_nothing() -> None:
    found = PriceReplay(DRAFT).result()
    assert found == PricePreview(Compared(0, 0, 0), {}, [], 0, {}, 0, 0)


@pytest.mark.parametrize(
    ("charged", "would_charge", "difference", "per_mille"),
    [
        (0, 0, 0, None),
        (0, 5, 5, None),
        (2000, 2001, 1, 1),  # half of a thousandth, away from zero
        (2000, 1999, -1, -1),
        (2001, 2002, 1, 0),
        (4, 1, -3, -750),
        (4, 12, 8, 2000),
    ],
)
def test_a_difference_is_told_in_thousandths_of_what_was_charged(
    charged: int, would_charge: int, difference: int, per_mille: int | None
) -> None:
    compared = Compared()
    compared.add(charged, would_charge, 3)
    assert (compared.lines, compared.difference, compared.per_mille) == (3, difference, per_mille)


def test_of_nothing_the_preview_is_empty() -> None:
    assert PriceReplay(DRAFT).result() == PricePreview()
