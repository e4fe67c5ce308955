"""A dispute names its charge and no customer: whose it is, is told by a refund, by the provider, or by nobody yet."""

from __future__ import annotations

from typing import Any

import pytest

from apps.payments.contracts import ObjectKind
from apps.payments.models import ProviderDispute
from apps.payments.providers.contract import read_from
from apps.subscriptions.enums import Provider
from tests.counterparts.stripe_fake import RESOURCES
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant, stored
from tests.payments.lives import StripeTruth

pytestmark = pytest.mark.django_db


def dispute_of(stripe: Stripe, charge: str) -> dict[str, Any]:
    thing = {**RESOURCES["dispute"], "id": f"dp_{charge}", "charge": charge}
    return stripe.event("charge.dispute.created", thing, NOON)


def charge_of(stripe: Stripe, name: str) -> dict[str, Any]:
    return {**RESOURCES["charge"], "id": name, "customer": stripe.tenant.customer, "amount_refunded": 100}


@pytest.fixture
def stripe() -> Stripe:
    found = Stripe(make_tenant())
    deliver(found.checkout(NOON))
    return found


def is_of(event: dict[str, Any], tenant: Tenant) -> None:
    kept = stored(event)
    assert (kept.status, kept.organization_id, kept.error) == ("processed", tenant.organization.pk, "")
    row = ProviderDispute.objects.get(external_id=event["data"]["object"]["id"])
    assert (row.organization_id, row.customer_external_id) == (tenant.organization.pk, tenant.customer)


def test_the_refund_of_its_charge_tells_whose_it_is(stripe: Stripe) -> None:
    deliver(stripe.event("charge.refunded", charge_of(stripe, "ch_1"), NOON))
    dispute = dispute_of(stripe, "ch_1")
    deliver(dispute)
    is_of(dispute, stripe.tenant)


def test_where_nobody_tells_it_waits_with_a_reason_until_a_refund_comes(stripe: Stripe) -> None:
    dispute, other = dispute_of(stripe, "ch_2"), dispute_of(stripe, "ch_3")
    deliver(dispute, other)
    assert stored(dispute).status == "unmatched"
    assert "names the charge ch_2 and no customer" in stored(dispute).error
    deliver(stripe.event("charge.refunded", charge_of(stripe, "ch_2"), NOON))
    deliver()
    is_of(dispute, stripe.tenant)
    assert stored(other).status == "unmatched"


def test_with_a_key_the_provider_is_asked_who_paid(stripe: Stripe) -> None:
    truth = StripeTruth()
    truth.objects["ch_4"] = charge_of(stripe, "ch_4")
    dispute = dispute_of(stripe, "ch_4")
    with read_from(Provider.STRIPE, truth):
        deliver(dispute)
    is_of(dispute, stripe.tenant)
    assert truth.questions == 1


def test_a_provider_that_does_not_answer_is_asked_again_later(stripe: Stripe) -> None:
    class Away(StripeTruth):
        def fetch_object(self, kind: ObjectKind, external_id: str) -> dict[str, Any] | None:
            raise ConnectionError("nobody there")

    dispute = dispute_of(stripe, "ch_5")
    with read_from(Provider.STRIPE, Away()):
        deliver(dispute)
    assert (stored(dispute).status, stored(dispute).attempts) == ("received", 1)
    assert not ProviderDispute.objects.exists()
