"""P10, the credits' part: no micro-credit is lost or made between a price, the grants that pay and what is given back.

The arithmetic is the product's own: prices by its one rule, burning and giving back by its ledger in PostgreSQL.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from django.db.models import Sum

from apps.core.amounts import MICRO
from apps.credits.models import CreditEntry, CreditGrant, GrantBurn
from apps.credits.rules.pricing import Price, charge_for
from apps.credits.services import credits_consume_batch, entry_reverse
from tests.credits.cast import assert_sound, consumption, give, make_place
from tests.sizes import size

CASES = size(small=20_000, full=1_000_000)
# The million is the pure part; each posted one is a dozen statements.
POSTED = size(small=60, full=1_000)
SEED = 10
Charge = Callable[[Price, int, int], int]


def product_charge(price: Price, quantity: int, left: int) -> int:
    return charge_for(price, quantity, free_left=left)


def exactly(price: Price, quantity: int, left: int) -> int:
    """The rule in other words: the nearest multiple of the quantum, an exact half upwards, at least the minimum."""
    paid = quantity - min(quantity, left)
    steps = Fraction(price.unit_price * paid, MICRO * price.quantum)
    return max(int(steps + Fraction(1, 2)) * price.quantum, price.minimum_charge) if paid else 0


def random_price(chance: random.Random) -> Price:
    quantum = chance.choice([1, 7, 100, 10_000, MICRO])
    minimum = chance.choice([0, 0, quantum, 30 * quantum])
    return Price("run", "piece", chance.randint(0, 10 ** chance.randint(1, 8)), minimum_charge=minimum, quantum=quantum)


def wrong_charges(charge: Charge, cases: int) -> int:
    """How many charges are not the exact ones, every other quantity chosen to fall on a half of the quantum."""
    chance = random.Random(SEED)  # noqa: S311 - it need not be secret, it must repeat
    wrong = 0
    for case in range(cases):
        price, quantity = random_price(chance), chance.randint(1, 10 ** chance.randint(1, 12))
        if case % 2:
            price = Price("run", "piece", MICRO // 2, quantum=1)
            quantity = 2 * quantity + 1
        left = chance.choice([0, quantity // 3, quantity, 2 * quantity])
        wrong += charge(price, quantity, left) != exactly(price, quantity, left)
    return wrong


@pytest.mark.prove("P10 charges are exact to the micro-credit", size=CASES, control="wrong roundings are found")
def test_every_charge_is_exact() -> None:
    assert wrong_charges(product_charge, CASES) == 0


def _paid(quantity: int, left: int) -> int:
    return quantity - min(quantity, left)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda price, quantity, left: round(Fraction(price.unit_price * _paid(quantity, left), MICRO)),
        lambda price, quantity, left: price.unit_price * _paid(quantity, left) // (MICRO * price.quantum),
        lambda price, quantity, left: charge_for(price, quantity) - charge_for(price, min(quantity, left)),
    ],
    ids=["half to even", "downwards", "rounded twice"],
)
def test_control_wrong_roundings_are_found(wrong: Charge) -> None:
    assert wrong_charges(wrong, 5_000) > 100


def lost_in_shares(share: Callable[[int, list[int]], list[int]], cases: int) -> int:
    """How many micro-credits are lost or made when charges are split over grants and given back in parts."""
    chance = random.Random(SEED)  # noqa: S311 - as above
    lost = 0
    for _ in range(cases):
        grants = [chance.randint(1, 10**9) for _ in range(chance.randint(1, 5))]
        amount = chance.randint(1, sum(grants))
        lost += abs(amount - sum(share(amount, grants)))
    return lost


def in_order(amount: int, grants: list[int]) -> list[int]:
    """The grants pay one after the other."""
    shares = []
    for left in grants:
        shares.append(min(amount, left))
        amount -= shares[-1]
    return shares


def test_control_shares_in_proportion_rounded_one_by_one_lose_credits() -> None:
    assert lost_in_shares(in_order, 1_000) == 0
    assert lost_in_shares(lambda amount, grants: [amount * g // sum(grants) for g in grants], 1_000) > 500


@pytest.mark.django_db
@pytest.mark.prove("P10 fractions burned and given back in part: 0 micro-credits lost", size=POSTED)
def test_burning_and_giving_back_lose_nothing() -> None:
    chance = random.Random(SEED)  # noqa: S311 - as above
    place, given = make_place(), 0
    for _ in range(POSTED // 2):
        amount = chance.randint(1, 9_999_999)
        give(place, amount, priority=chance.randint(0, 255))
        given += amount
        items = [
            consumption(place, operation="unit", quantity=chance.randint(1, max(given // POSTED, 2))) for _ in range(2)
        ]
        credits_consume_batch(place.context, consumptions=items)
    back = 0
    charges = CreditEntry.objects.filter(kind="consumption", amount__lt=0).order_by("sequence")
    for number, entry in enumerate(charges[: POSTED // 4]):
        part = chance.randint(1, -entry.amount)
        entry_reverse(place.context, entry_id=entry.pk, key=f"back-{number}", reason="in part", amount=part)
        back += part
    spent = -sum(charges.values_list("amount", flat=True))
    left = CreditGrant.objects.aggregate(total=Sum("remaining"))["total"]
    burned = GrantBurn.objects.aggregate(total=Sum("amount"))["total"]
    assert place.account.balance == left == given - spent + back
    assert burned == spent - back
    assert_sound()
