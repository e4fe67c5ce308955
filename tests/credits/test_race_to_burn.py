"""Charges burn while others charge, grant and give back: each once and in order, whoever looks when (spec 05)."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from apps.core.amounts import MICRO
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry, GrantBurn
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.services import (
    account_apply_due,
    accounts_burn,
    credits_consume,
    credits_consume_batch,
    entry_reverse,
)
from apps.credits.services.accounts import burn
from tests.core.threads import at_once
from tests.credits.cast import Place, consumption, give, look_at, make_place
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

TURNS = size(small=15, full=500)
SEED = 5
Turn = Callable[[Place, random.Random], object]


def charge(place: Place, chance: random.Random) -> None:
    """One consumption or three at once, with what there is or beyond it."""
    items = [
        consumption(
            place, operation="unit", quantity=chance.randint(1, 3 * MICRO), on_insufficient=OnInsufficient.RECORD
        )
        for _ in range(3)
    ]
    if chance.random() < 0.5:
        credits_consume_batch(place.context, consumptions=items)
    else:
        credits_consume(place.context, consumption=items[0])


def grant(place: Place, chance: random.Random) -> None:
    give(place, chance.randint(1, 20 * MICRO), priority=chance.randint(0, 9))


def give_back(place: Place, chance: random.Random) -> None:
    charges = CreditEntry.objects.filter(account_id=place.organization.pk, kind="consumption", amount__lt=0)
    entry = charges.filter(reversals__isnull=True).order_by("?").first()
    if entry is not None:
        amount = chance.randint(1, -entry.amount)
        entry_reverse(place.context, entry_id=entry.pk, key=f"back-{entry.pk}", reason="race", amount=amount)


def look_at_one(place: Place, chance: random.Random) -> None:
    account_apply_due(place.context, account_id=place.organization.pk)


def look_at_a_list(place: Place, chance: random.Random) -> None:
    accounts_burn(place.context, account_ids=[place.organization.pk])


def look_without_the_lock(place: Place, chance: random.Random) -> None:
    """The wrong form: nothing keeps another from burning the same charges."""
    burn([place.organization.pk])


# One thread each; a single one gives back, since a charge is given back once.
RIGHT: tuple[Turn, ...] = (charge,) * 5 + (grant,) * 2 + (look_at_one, look_at_a_list) * 2 + (give_back,)
WRONG: tuple[Turn, ...] = (charge,) * 5 + (look_without_the_lock,) * 5


def faults_of(place: Place, turns: tuple[Turn, ...]) -> list[str]:
    """What is wrong after all took their turns at once: what was raised, and what the ledger says of itself."""

    def live(number: int) -> None:
        chance = random.Random(SEED + number)  # noqa: S311 - it need not be secret, it must repeat
        for _ in range(TURNS):
            turns[number](place, chance)

    raised = [repr(result) for result in at_once(len(turns), live) if result is not None]
    return [*raised, *ledger_faults()]


@pytest.mark.prove(
    "charges burn once and in order while others charge, grant and give back",
    size=TURNS * len(RIGHT),
    control="burning without the account's lock is caught",
)
def test_whoever_looks_when_each_charge_burns_once() -> None:
    place = make_place(whole_credits=30)
    assert faults_of(place, RIGHT) == []
    assert GrantBurn.objects.exists()
    look_at(place)
    assert place.account.burned_sequence == place.account.last_sequence
    assert list(ledger_faults()) == []


def test_control_burning_without_the_lock_is_caught() -> None:
    found = (faults_of(make_place(f"p{number}", whole_credits=1_000), WRONG) for number in range(10))
    assert any(found)
