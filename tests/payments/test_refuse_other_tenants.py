"""News that ties one tenant's customer or subscription to another tenant is refused, and changes neither (spec 04)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from apps.payments.models import ProviderCustomer, ProviderSubscription
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant, stored
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db
Event = dict[str, Any]


def configs() -> list[Event]:
    return [dict(row) for row in OrganizationPaymentConfig.objects.order_by("organization").values()]


def subscriptions() -> list[Event]:
    return [dict(row) for row in WorkspaceSubscription.objects.order_by("workspace").values()]


def claims_by_checkout(stripe: Stripe, other: Tenant) -> Event:
    event = stripe.checkout(NOON)
    event["data"]["object"]["metadata"] = {"organization_id": str(other.organization.pk)}
    return event


def claims_by_metadata(kind: str) -> Callable[[Stripe, Tenant], Event]:
    def event(stripe: Stripe, other: Tenant) -> Event:
        metadata = {"organization_id": str(other.organization.pk)}
        return stripe.event(f"customer.{kind}", stripe.customer(metadata=metadata), NOON)

    return event


@pytest.mark.parametrize("other_has_customer", [True, False], ids=["who has a customer", "who has none"])
@pytest.mark.parametrize(
    "claim",
    [claims_by_checkout, claims_by_metadata("created"), claims_by_metadata("updated")],
    ids=["checkout", "customer.created", "customer.updated"],
)
def test_a_customer_of_one_organization_is_not_claimed_for_another(
    claim: Callable[[Stripe, Tenant], Event], other_has_customer: bool
) -> None:
    tenant, other = make_tenant("Northwind"), make_tenant("Contoso")
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    if other_has_customer:
        deliver(Stripe(other).checkout(NOON))
    before, customers = configs(), list(ProviderCustomer.objects.order_by("pk").values())

    refused = claim(stripe, other)
    deliver(refused)

    row = stored(refused)
    assert (row.status, row.organization_id) == ("failed", None)
    assert f"{tenant.customer} stands for organization {tenant.organization.pk}" in row.error
    assert f"names {other.organization.pk}" in row.error
    assert (configs(), list(ProviderCustomer.objects.order_by("pk").values())) == (before, customers)


def test_orb_claims_no_customer_of_another_organization_either() -> None:
    tenant, other = make_tenant("Northwind"), make_tenant("Contoso")

    def created(event_id: str, of: Tenant) -> Event:
        customer = {"id": "orb_1", "external_customer_id": str(of.organization.pk)}
        return {
            "id": event_id,
            "type": "customer.created",
            "created_at": NOON.isoformat(),
            "properties": {},
            "customer": customer,
        }

    deliver(created("orb_evt_1", tenant), provider="orb")
    assert tenant.config.orb_customer_id == "orb_1"
    before = configs()
    refused = created("orb_evt_2", other)
    deliver(refused, provider="orb")
    assert stored(refused).status == "failed"
    assert f"stands for organization {tenant.organization.pk}" in stored(refused).error
    assert configs() == before


@pytest.mark.parametrize("names", ["another organization's workspace", "a workspace that is nowhere"])
def test_a_subscription_starts_nothing_in_a_workspace_that_is_not_its_organizations(names: str) -> None:
    make_plan()
    tenant, other = make_tenant("Northwind"), make_tenant("Contoso")
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    place = other.workspace.pk if names.startswith("another") else uuid.uuid4()
    wrong = stripe.subscription("active", metadata={"workspace_id": str(place)})
    event = stripe.event("customer.subscription.created", wrong, NOON)
    deliver(event)

    assert stored(event).status == "failed"
    assert f"workspace {place}, which is none of organization {tenant.organization.pk}" in stored(event).error
    assert subscriptions() == []
    assert other.config.subscription_status == "pre_subscription"

    # The metadata are corrected at the provider, which tells it.
    deliver(stripe.event("customer.subscription.updated", stripe.subscription("active"), NOON))
    assert [row["workspace_id"] for row in subscriptions()] == [tenant.workspace.pk]
    assert ProviderSubscription.objects.get().workspace_id == tenant.workspace.pk


def test_a_running_subscription_is_not_moved_into_another_organizations_workspace() -> None:
    make_plan()
    tenant, other = make_tenant("Northwind"), make_tenant("Contoso")
    stripe = Stripe(tenant)
    running = stripe.event("customer.subscription.created", stripe.subscription("active"), NOON)
    deliver(stripe.checkout(NOON), running)
    before = subscriptions()
    ended = stripe.subscription("canceled", metadata={"workspace_id": str(other.workspace.pk)})
    deliver(stripe.event("customer.subscription.deleted", ended, NOON))
    assert subscriptions() == before
