"""No double spend, whoever races (spec 11, P1): what is granted is the demand or what there is, to the credit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from apps.core.amounts import MICRO
from apps.core.ids import OrganizationId
from apps.credits.models import CreditAccount
from apps.credits.services import overdraft_set
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.services import product_relation_upsert
from tests.contexts import console_context
from tests.credits.cast import Place, give, make_place
from tests.credits.storm import THREADS, Ask, Word, asks_for, faults_of, in_batches, one_by_one, storm
from tests.factories.tenants import make_organization
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

DEBITS = size(small=1_200, full=100_000)
SEED = 1
SPREAD = 20


def make_places(count: int) -> list[Place]:
    """So many organizations of one product."""
    places = [make_place()]
    while len(places) < count:
        organization = make_organization()
        product_relation_upsert(
            console_context(), organization_id=OrganizationId(organization.pk), product_slug=places[0].product.slug
        )
        places.append(Place(places[0].product, organization, places[0].context))
    return places


def endow(places: Sequence[Place], each: int) -> list[int]:
    """Fill the accounts for `each` requests: too little, just enough, more, and too little with an overdraft."""
    means = []
    for number, place in enumerate(places):
        share = (each * 9 // 10, each, each + 5, each // 2)[number % 4]
        overdraft = each // 4 if number % 4 == 3 else 0
        give(place, share * MICRO)
        if overdraft:
            config = OrganizationPaymentConfig.objects.get(organization=place.organization)
            config.subscription_status = "subscribed"
            config.save(update_fields=["subscription_status"])
            overdraft_set(console_context(), account_id=place.account.pk, limit=overdraft * MICRO, reason="trusted")
        means.append(share + overdraft)
    return means


@pytest.mark.prove(
    "P1 no double spend, hot and spread accounts, repeated keys, one by one and in batches",
    size=DEBITS,
    control="read, check, write grants more than there is",
)
def test_what_is_granted_is_exactly_what_there_is() -> None:
    places = make_places(1 + SPREAD)
    requests = DEBITS // 2
    # A sixth of the requests repeat a key that another thread sends as well.
    hot, each = requests * 5 // 6, requests * 5 // 6 // SPREAD
    means = endow(places[:1], hot) + endow(places[1:], each)
    demand = [hot] + [each] * SPREAD
    asks = asks_for(demand, repeats=DEBITS - sum(demand), seed=SEED)
    words = storm(places, asks, [one_by_one, one_by_one, one_by_one, in_batches])
    assert len(words) == len(asks) == DEBITS
    assert faults_of(places, asks, words, means) == []


def naively(places: Sequence[Place], asks: Sequence[Ask]) -> list[Word]:
    """Read, check, write."""
    words = []
    for ask in asks:
        account = CreditAccount.objects.filter(pk=places[ask.place].organization.pk)
        balance = account.values_list("balance", flat=True).get()
        if balance >= MICRO:
            account.update(balance=balance - MICRO)
        words.append(Word(ask.key, "charged" if balance >= MICRO else "insufficient_credits", ask.key))
    return words


@pytest.mark.slow
def test_control_a_naive_debit_grants_more_than_there_is_and_is_caught() -> None:
    places = make_places(1)
    means = endow(places, 400)
    asks = asks_for([2 * THREADS * 25], repeats=0, seed=SEED)
    words = storm(places, asks, [naively])
    granted = sum(word.ended == "charged" for word in words)
    assert granted > means[0]
    assert f"account 0: granted {granted} of {len(asks)} with {means[0]}" in faults_of(places, asks, words, means)
    print(f"control: read, check, write granted {granted} with {means[0]}")
