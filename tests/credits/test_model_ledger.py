"""Random lives of an account against a small pure model, compared after each step by grant and by charge (spec 05)."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from apps.core.moments import zone_of
from apps.credits.models import FreeQuantity, GrantBurn, UncoveredCharge
from apps.credits.services import account_apply_due
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Organization
from tests.credits.cast import Place, assert_sound, make_place
from tests.credits.ledger_lives import START, VERBS, Life
from tests.credits.ledger_model import Model
from tests.credits.ledger_mutants import MUTANTS
from tests.databases import undone
from tests.sizes import size

pytestmark = pytest.mark.django_db
LIVES = size(small=4, full=10_000)
# Another range of lives: COUNTINGHOUSE_FIRST_SEED=1000 make prove.
FIRST_SEED = int(os.environ.get("COUNTINGHOUSE_FIRST_SEED", "0"))
STEPS = 40
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu")


def shown_by_product(place: Place) -> dict[str, object]:
    """The account, what is left by grant, and who paid how much of each charge."""
    account = place.account
    paid: dict[str, dict[str, int]] = defaultdict(dict)
    for burn in (
        GrantBurn.objects.filter(grant__account=account, amount__gt=0).exclude(entry__kind="expiry").order_by("pk")
    ):
        payers, grant_id = paid[str(burn.entry_id)], str(burn.grant_id)
        payers[grant_id] = payers.get(grant_id, 0) + burn.amount
    unpaid = UncoveredCharge.objects.filter(account=account, amount_left__gt=0).values_list("entry_id", "amount_left")
    return {
        "balance": account.balance,
        "held": account.held,
        "left": {str(pk): left for pk, left in account.grants.values_list("pk", "remaining")},
        "paid": dict(paid),
        "unpaid": {str(pk): left for pk, left in unpaid},
        "entries": account.entries.count(),
        "free": dict(FreeQuantity.objects.filter(account=account, used__gt=0).values_list("month", "used")),
    }


_AT_ONCE = ("balance", "held", "entries", "free")


def disagreement(seed: int, model: Model) -> str | None:
    """Live the life of the seed with the model; where they first disagree, or None. Nothing of it stays.

    The books are verified whole, so that each life would wait for those before it.
    """
    with undone():
        return _live(seed, model)


def _live(seed: int, model: Model) -> str | None:
    place = make_place(f"red-{seed}")
    OrganizationPaymentConfig.objects.filter(organization=place.organization).update(subscription_status="subscribed")
    life = Life(place, model, random.Random(seed))  # noqa: S311 - it need not be secret, it must repeat
    zone = life.chance.choice(ZONES)
    model.zone = zone_of(zone)
    Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone)
    for number in range(STEPS):
        life.now += timedelta(minutes=life.chance.randint(1, 40))
        with time_machine.travel(life.now, tick=False):
            model.settle(life.now)
            verb = life.chance.choice(VERBS)
            try:
                verb(life)
            except AssertionError as error:
                return f"seed {seed}, step {number}: {verb.__name__}: {error}"
            # What was charged burns its grants when somebody looks: here now and then, so that many burn at once.
            is_looked_at = number % 3 == 0 or number == STEPS - 1
            next_due_at = place.account.next_due_at
            if is_looked_at or (next_due_at is not None and next_due_at <= life.now):
                account_apply_due(place.context, account_id=place.organization.pk)
        product, expected = shown_by_product(place), model.shown()
        if not is_looked_at:
            product, expected = ({name: side[name] for name in _AT_ONCE} for side in (product, expected))
        if product != expected:
            wrong = [name for name in product if product[name] != expected[name]]
            return f"seed {seed}, step {number}: {verb.__name__}: {wrong}"
        if number % 5 == 0:
            assert_sound()
    assert_sound()
    return None


@pytest.fixture(autouse=True)
def _the_policy_is_in_force() -> Iterator[None]:
    """Policies are published before the lives begin."""
    with time_machine.travel(START - timedelta(days=1)):
        yield


@pytest.mark.prove(
    "the ledger agrees with a pure model after each step, by grant and by charge",
    size=LIVES,
    control="each of eight mutated models is caught",
)
def test_random_lives_go_as_the_model_says() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + LIVES):
        assert disagreement(seed, Model()) is None
        print(f"ledger model: seed {seed}, {STEPS} steps agree")


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.slow
@pytest.mark.slow
def test_control_a_mutated_model_is_caught(mutant: type[Model]) -> None:
    found = (disagreement(seed, mutant()) for seed in range(20))
    assert any(found)
