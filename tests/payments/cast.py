"""The fixed cast of these tests: a customer's organization, and a Stripe that signs what it says."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from apps.core import clock
from apps.core.ids import OrganizationId
from apps.payments.models import WebhookEvent
from apps.payments.services import webhook_inbox_sweep
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_user, make_workspace

STRIPE_SECRETS = ["whsec_of_today", "whsec_of_yesterday"]
ORB_SECRETS = ["orb_of_today", "orb_of_yesterday"]
SECRETS = {"stripe": STRIPE_SECRETS, "orb": ORB_SECRETS}
# A whole second, as Stripe's times are.
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization with an owner and a workspace, and what it is called at the providers."""

    organization: Organization
    workspace: Workspace
    customer: str

    @property
    def organization_id(self) -> OrganizationId:
        return OrganizationId(self.organization.pk)

    @property
    def config(self) -> OrganizationPaymentConfig:
        """The payment config as it is stored now."""
        return OrganizationPaymentConfig.objects.get(organization=self.organization)

    @property
    def status(self) -> str:
        return self.config.payment_status


def make_tenant(name: str = "Northwind") -> Tenant:
    """A fresh one, of which no provider has told yet."""
    organization = make_organization(name, owner=make_user())
    return Tenant(organization, make_workspace(organization), f"cus_{next(_numbers)}")


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


@dataclass
class Stripe:
    """Makes events of one customer, in current shapes; remembers the truth that they tell."""

    tenant: Tenant
    at: datetime = NOON
    truth: dict[str, dict[str, Any]] = field(default_factory=dict)
    prefix: str = field(default_factory=lambda: f"{next(_numbers):06}")
    count: int = 0

    def event(self, kind: str, thing: Mapping[str, Any], at: datetime, **data: Any) -> dict[str, Any]:
        """One event; the object becomes the truth from now on."""
        self.count += 1
        self.truth[thing["id"]] = dict(thing)
        return {
            "id": f"evt_{self.prefix}_{self.count:04}",
            "object": "event",
            "api_version": "2025-09-30.clover",
            "type": kind,
            "created": seconds(at),
            "livemode": False,
            "data": {"object": dict(thing), **data},
        }

    def customer(self, **values: Any) -> dict[str, Any]:
        metadata = {"organization_id": str(self.tenant.organization.pk)}
        return {"id": self.tenant.customer, "object": "customer", "email": None, "metadata": metadata, **values}

    def checkout(self, at: datetime) -> dict[str, Any]:
        thing = {
            "id": f"cs_{self.prefix}",
            "object": "checkout.session",
            "customer": self.tenant.customer,
            "client_reference_id": str(self.tenant.organization.pk),
            "metadata": {"organization_id": str(self.tenant.organization.pk)},
            "payment_status": "paid",
            "mode": "subscription",
        }
        return self.event("checkout.session.completed", thing, at)

    def invoice(self, name: str, status: str, **values: Any) -> dict[str, Any]:
        amount = values.pop("amount", 4900)
        is_paid = status == "paid"
        return {
            "id": f"in_{self.prefix}_{name}",
            "object": "invoice",
            "customer": self.tenant.customer,
            "status": status,
            "number": f"{self.prefix}-{name}",
            "currency": "eur",
            "amount_due": amount,
            "amount_paid": amount if is_paid else 0,
            "amount_remaining": 0 if is_paid else amount,
            "total": amount,
            "created": seconds(self.at),
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": f"sub_{self.prefix}"}},
            "status_transitions": {},
            **values,
        }

    def second(self, status: str, start: datetime, **values: Any) -> dict[str, Any]:
        """A second subscription for the same workspace, which starts later."""
        return self.subscription(status, id=f"sub_{self.prefix}_b", start_date=seconds(start), **values)

    def subscription(self, status: str, *, plan: str = "team", **values: Any) -> dict[str, Any]:
        item = {
            "id": "si_1",
            "current_period_start": seconds(self.at),
            "current_period_end": seconds(self.at + timedelta(days=30)),
            "price": {"id": f"price_{plan}", "lookup_key": plan},
        }
        return {
            "id": f"sub_{self.prefix}",
            "object": "subscription",
            "customer": self.tenant.customer,
            "status": status,
            "created": seconds(self.at),
            "start_date": seconds(self.at),
            "cancel_at_period_end": False,
            "items": {"object": "list", "data": [item]},
            "metadata": {"workspace_id": str(self.tenant.workspace.pk)},
            **values,
        }


def signed_stripe(body: bytes, *, secret: str = STRIPE_SECRETS[0], at: datetime | None = None) -> dict[str, str]:
    """The headers with which Stripe would send the body."""
    stamp = seconds(at or clock.now())
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={digest}"}


def signed_orb(body: bytes, *, secret: str = ORB_SECRETS[0], at: datetime | None = None) -> dict[str, str]:
    """The headers with which Orb would send the body."""
    stamp = (at or clock.now()).replace(tzinfo=None).isoformat()
    digest = hmac.new(secret.encode(), f"v1:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Orb-Timestamp": stamp, "X-Orb-Signature": f"v1={digest}"}


def post(event: Mapping[str, Any], provider: str = "stripe") -> int:
    """Deliver the event, signed; the status of the answer."""
    body = json.dumps(event).encode()
    headers = signed_stripe(body) if provider == "stripe" else signed_orb(body)
    client = Client(enforce_csrf_checks=True)
    return client.post(f"/webhooks/{provider}", body, content_type="application/json", headers=headers).status_code


def deliver(*events: Mapping[str, Any], provider: str = "stripe") -> None:
    """Deliver the events and work through the inbox."""
    for event in events:
        assert post(event, provider) == 200
    sweep()


def sweep() -> dict[str, int]:
    return webhook_inbox_sweep(console_context(), limit=100_000)


def stored(event: Mapping[str, Any]) -> WebhookEvent:
    return WebhookEvent.objects.get(event_id=event["id"])
