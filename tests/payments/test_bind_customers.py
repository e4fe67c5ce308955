"""Which customer stands for an organization: never a deleted one, never one that a stranger names (spec 04).

Decided in apps.payments.processing.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.payments.cast import NOON, Stripe, deliver, make_tenant, stored

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def stripe() -> Stripe:
    return Stripe(make_tenant())


def second_checkout(stripe: Stripe, name: str, days: int) -> dict[str, Any]:
    thing = {**stripe.checkout(NOON)["data"]["object"], "id": f"cs_{name}", "customer": name}
    return stripe.event("checkout.session.completed", thing, NOON + days * DAY)


def deleted(stripe: Stripe, days: int) -> dict[str, Any]:
    return stripe.event("customer.deleted", stripe.customer(deleted=True), NOON + days * DAY)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_new_customer_replaces_one_that_was_deleted(stripe: Stripe, order: tuple[int, ...]) -> None:
    events = [stripe.checkout(NOON), deleted(stripe, 1), second_checkout(stripe, f"cus_new_{uuid4().hex[:8]}", 2)]
    deliver(*(events[place] for place in order))
    assert stripe.tenant.config.payment_provider_id == events[2]["data"]["object"]["customer"]


def test_a_further_customer_replaces_none_that_is_there(stripe: Stripe) -> None:
    deliver(stripe.checkout(NOON), second_checkout(stripe, "cus_second", 1))
    assert stripe.tenant.config.payment_provider_id == stripe.tenant.customer


@pytest.mark.parametrize("first", ["customer.deleted", "customer.updated"])
def test_a_deleted_customer_is_never_bound_even_as_the_first_we_hear(stripe: Stripe, first: str) -> None:
    event = stripe.event(first, stripe.customer(deleted=True), NOON)
    deliver(event)
    assert stored(event).status == "processed"
    assert stripe.tenant.config.payment_provider_id is None


def test_late_news_of_a_deleted_customer_do_not_bind_it(stripe: Stripe) -> None:
    deliver(deleted(stripe, 3), stripe.event("customer.created", stripe.customer(), NOON), stripe.checkout(NOON))
    assert stripe.tenant.config.payment_provider_id is None


@pytest.mark.parametrize(
    "metadata", [{}, None, {"organization_id": "northwind"}, {"organisation_id": "{organization}"}]
)
def test_a_client_reference_id_alone_binds_nobody(stripe: Stripe, metadata: dict[str, str] | None) -> None:
    event = stripe.checkout(NOON)
    event["data"]["object"]["metadata"] = metadata
    deliver(event)
    assert (stored(event).status, stored(event).reason) == ("unmatched", "customer_unknown")
    assert stripe.tenant.config.payment_provider_id is None
    assert stripe.tenant.status == "uninitialized"


def test_a_strangers_link_counts_for_nobody_else(stripe: Stripe) -> None:
    stranger = Stripe(make_tenant("Contoso"))
    deliver(stranger.checkout(NOON))
    event = stranger.checkout(NOON + DAY)
    event["data"]["object"] |= {"client_reference_id": str(stripe.tenant.organization.pk), "metadata": {}}
    deliver(event)
    assert stored(event).organization_id == stranger.tenant.organization.pk
    assert stripe.tenant.config.payment_provider_id is None


def test_it_is_matched_once_the_customer_says_whose_it_is(stripe: Stripe) -> None:
    event = stripe.checkout(NOON)
    event["data"]["object"]["metadata"] = {}
    deliver(event)
    deliver(stripe.event("customer.updated", stripe.customer(), NOON + DAY))
    assert stored(event).status == "processed"
    assert stripe.tenant.status == "okay"
