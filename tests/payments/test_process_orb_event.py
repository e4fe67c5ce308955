"""Orb's events in both payload styles come to the same (spec 04, Webhooks)."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.payments.models import ProviderInvoice
from tests.payments.cast import NOON, Tenant, make_tenant
from tests.payments.on_time import deliver

pytestmark = pytest.mark.django_db
_numbers = itertools.count(1)
ISSUED = {
    "id": "inv_1",
    "status": "issued",
    "currency": "USD",
    "amount_due": "49.00",
    "total": "49.00",
    "invoice_number": "A-1",
}


def customer_of(tenant: Tenant) -> dict[str, Any]:
    return {"id": f"orb_{tenant.customer}", "external_customer_id": str(tenant.organization.pk)}


def whole(tenant: Tenant, kind: str, thing: dict[str, Any], at: datetime) -> dict[str, Any]:
    """An event with its whole object."""
    noun = kind.partition(".")[0]
    about = customer_of(tenant) if noun == "customer" else {**thing, "customer": customer_of(tenant)}
    return {
        "id": f"orb_evt_{next(_numbers)}",
        "type": kind,
        "created_at": at.isoformat(),
        "properties": {},
        noun: about,
    }


def short(tenant: Tenant, kind: str, thing: dict[str, Any], at: datetime) -> dict[str, Any]:
    """An event that names its object by its id."""
    noun = kind.partition(".")[0]
    customer = customer_of(tenant)
    named = {"customer_id": customer["id"], "external_customer_id": customer["external_customer_id"]}
    properties = named if noun == "customer" else {**named, f"{noun}_id": thing["id"]}
    return {
        "id": f"orb_evt_{next(_numbers)}",
        "type": kind,
        "created_at": at.replace(tzinfo=None).isoformat(),
        "properties": properties,
    }


@pytest.mark.parametrize("style", [whole, short])
def test_a_customers_life_at_orb(style: Any) -> None:
    tenant, subscription = make_tenant(), {"id": f"osub_{next(_numbers)}", "status": "active"}
    deliver(style(tenant, "customer.created", {}, NOON), provider="orb")
    assert tenant.config.orb_customer_id == f"orb_{tenant.customer}"
    deliver(style(tenant, "subscription.started", subscription, NOON), provider="orb")
    assert tenant.config.subscription_status == "subscribed"
    deliver(style(tenant, "invoice.payment_failed", ISSUED, NOON), provider="orb")
    assert tenant.config.grace_period_end_at == NOON + timedelta(days=14)
    paid = {**ISSUED, "status": "paid"}
    deliver(style(tenant, "invoice.payment_succeeded", paid, NOON + timedelta(days=1)), provider="orb")
    assert tenant.status == "okay"
    ended = {**subscription, "status": "ended"}
    deliver(style(tenant, "subscription.ended", ended, NOON + timedelta(days=2)), provider="orb")
    assert tenant.config.subscription_status == "unsubscribed"


def test_amounts_are_read_exactly() -> None:
    tenant = make_tenant()
    deliver(whole(tenant, "invoice.issued", ISSUED, NOON), provider="orb")
    invoice = ProviderInvoice.objects.get()
    assert (invoice.amount_due_minor, invoice.currency, invoice.number) == (4900, "USD", "A-1")
