"""Sample payments: what Stripe would have told of each customer, through the inbox (spec 04).

Each event is stored and processed as of its own time, by the code that real ones take; its id follows from the
organization, so that telling it again changes nothing. Nothing is asked of Stripe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.backoffice.seeding.data import PLANS, seed_id
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.payments.enums import EventSource, InvoiceStatus
from apps.payments.inbox import store
from apps.payments.models import ProviderInvoice
from apps.payments.providers.contract import payment_provider
from apps.payments.providers.parsing import read_at_door
from apps.payments.services import webhook_event_process
from apps.payments.services.forgiving import invoice_forgive
from apps.subscriptions.contracts import Unlock
from apps.subscriptions.enums import Provider
from apps.subscriptions.services import payment_config_change

# The period that runs began so long ago; a customer's month has 30 days here.
PERIOD_AGE = timedelta(days=20)
MONTH = timedelta(days=30)
_DELIVERY = timedelta(seconds=2)
_DAY = timedelta(days=1)
_INVOICE_STEPS = {"paid": "paid", "open": "finalized", "void": "voided", "uncollectible": "marked_uncollectible"}


def _price(plan: str) -> dict[str, Any]:
    """The plan's price as Stripe tells it with a subscription."""
    cents = {slug: price for slug, _, price in PLANS}[plan]
    monthly = {"currency": "eur", "unit_amount": cents, "recurring": {"interval": "month", "interval_count": 1}}
    return {"id": f"price_{plan}", "lookup_key": plan, **monthly}


@dataclass(frozen=True, slots=True)
class SampleCustomer:
    """One organization at Stripe. `now` is what every time is counted from."""

    context: ExecutionContext
    organization_id: UUID
    email: str
    now: datetime
    number: str

    @property
    def mark(self) -> str:
        """What the names of its objects at Stripe end in."""
        return self.organization_id.hex[:12]

    @property
    def customer_id(self) -> str:
        return f"cus_{self.mark}"

    def tell(self, kind: str, thing: Mapping[str, Any], *, ago: timedelta) -> None:
        """Store and process one event that happened so long ago, as of then."""
        at = self.now - ago
        name = f"{kind}:{thing['id']}:{thing.get('status', '')}:{ago.days}"
        event = {
            "id": f"evt_{seed_id(f'{self.organization_id}:{name}').hex[:24]}",
            "object": "event",
            "type": kind,
            "created": _seconds(at),
            "livemode": False,
            "data": {"object": dict(thing)},
        }
        with clock.as_of(at + _DELIVERY):
            stored, is_heard = store(
                payment_provider(Provider.STRIPE),
                read_at_door(json.dumps(event).encode()),
                source=EventSource.WEBHOOK,
                request_id=self.context.request_id,
            )
            if stored is not None and is_heard:
                webhook_event_process(self.context, event_pk=stored)

    def sign_up(self, *, ago: timedelta, last_four: str) -> None:
        """A completed checkout: the customer is linked, with a card."""
        owner = {"organization_id": str(self.organization_id)}
        checkout = {"object": "checkout.session", "customer": self.customer_id, "payment_status": "paid"}
        self.tell("checkout.session.completed", {"id": f"cs_{self.mark}", "metadata": owner, **checkout}, ago=ago)
        card = {"brand": "visa", "last4": last_four, "exp_month": 11, "exp_year": self.now.year + 2}
        method = {"id": f"pm_{self.mark}", "customer": self.customer_id, "type": "card", "card": card}
        self.tell("payment_method.attached", method, ago=ago - timedelta(seconds=1))
        customer = {"id": self.customer_id, "email": self.email, "metadata": owner}
        settings = {"default_payment_method": method["id"]}
        self.tell("customer.updated", {**customer, "invoice_settings": settings}, ago=ago - timedelta(seconds=2))

    def subscribe(self, workspace_id: UUID, plan: str, *, periods: int, status: str = "active") -> None:
        """A subscription whose current period is the last of `periods`; before it every one was paid."""
        for place in range(periods):
            ago = PERIOD_AGE + MONTH * (periods - 1 - place)
            is_last = place == periods - 1
            item = {
                "id": f"si_{self.mark}",
                "price": _price(plan),
                "current_period_start": _seconds(self.now - ago),
                "current_period_end": _seconds(self.now - ago + MONTH),
            }
            thing = {
                "id": f"sub_{self.mark}",
                "customer": self.customer_id,
                "status": status if is_last else "active",
                "start_date": _seconds(self.now - PERIOD_AGE - MONTH * (periods - 1)),
                "items": {"data": [item]},
                "metadata": {"workspace_id": str(workspace_id)},
            }
            step = "updated" if place else "created"
            self.tell(f"customer.subscription.{step}", thing, ago=ago - timedelta(minutes=1))

    def invoice(self, place: int, amount: int, status: str, *, ago: timedelta, step: str = "", **values: Any) -> None:
        """One invoice, in minor units of EUR; `step` is what happened to it, where its status does not say so."""
        is_paid = status == InvoiceStatus.PAID.value
        thing = {
            "id": f"in_{self.mark}_{place}",
            "customer": self.customer_id,
            "number": f"{self.number}-{place:04}",
            "status": status,
            "currency": "eur",
            "amount_due": amount,
            "amount_paid": amount if is_paid else 0,
            "amount_remaining": amount if status in {"open", "uncollectible"} else 0,
            "total": amount,
            "created": _seconds(self.now - ago),
            "status_transitions": {"paid_at": _seconds(self.now - ago)} if is_paid else {},
            **values,
        }
        self.tell(f"invoice.{step or _INVOICE_STEPS[status]}", thing, ago=ago - timedelta(minutes=2))

    def pay_monthly(self, workspace_id: UUID, plan: str, amount: int, *, periods: int) -> None:
        """Subscribe, with a paid invoice a period."""
        self.subscribe(workspace_id, plan, periods=periods)
        for place in range(periods):
            ago = PERIOD_AGE + MONTH * (periods - 1 - place)
            self.invoice(place + 1, amount, "paid", ago=ago, **self._of_subscription(ago))

    def fail_to_pay(self, workspace_id: UUID, plan: str, amount: int, *, ago: timedelta) -> None:
        """A paid period, and one whose payment failed so long ago: the grace period runs since."""
        started = ago + MONTH
        for begun, status, step in ((started, "active", "created"), (ago, "past_due", "updated")):
            item = {
                "id": f"si_{self.mark}",
                "price": _price(plan),
                "current_period_start": _seconds(self.now - begun),
                "current_period_end": _seconds(self.now - begun + MONTH),
            }
            thing = {
                "id": f"sub_{self.mark}",
                "customer": self.customer_id,
                "status": status,
                "start_date": _seconds(self.now - started),
                "items": {"data": [item]},
                "metadata": {"workspace_id": str(workspace_id)},
            }
            self.tell(f"customer.subscription.{step}", thing, ago=begun - timedelta(minutes=1))
        self.invoice(1, amount, "paid", ago=started, **self._of_subscription(started))
        values = {"attempt_count": 1, "billing_reason": "subscription_cycle", **self._of_subscription(ago)}
        self.invoice(2, amount, "open", ago=ago, step="payment_failed", **values)

    def _of_subscription(self, ago: timedelta) -> dict[str, Any]:
        details = {"type": "subscription_details", "subscription_details": {"subscription": f"sub_{self.mark}"}}
        period = {
            "period_start": _seconds(self.now - ago),
            "period_end": _seconds(self.now - ago + MONTH),
        }
        return {"parent": details, "collection_method": "charge_automatically", **period}


def seed_payments(context: ExecutionContext) -> None:
    """Tell Northwind's and Inès' life at Stripe."""
    _tell_northwind(_customer(context, "northwind", "olivia@northwind.example", "NW"))
    ines = _customer(context, "ines-ibarra", "ines@example.com", "II")
    ines.sign_up(ago=33 * _DAY + timedelta(minutes=5), last_four="0341")
    ines.fail_to_pay(seed_id("workspace:ines"), "starter", 1_900, ago=3 * _DAY)


def seed_demo_payments(context: ExecutionContext, organization_id: UUID, email: str) -> None:
    """The demo's invoices, of every status but a failed one: it is open to look around."""
    demo = SampleCustomer(context, organization_id, email, clock.now(), "DEMO")
    demo.sign_up(ago=50 * _DAY + timedelta(minutes=5), last_four="4242")
    for place, ago in enumerate((50 * _DAY, PERIOD_AGE), 1):
        demo.invoice(place, 4_900, "paid", ago=ago)
    demo.invoice(3, 4_900, "void", ago=15 * _DAY)
    due_at = _seconds(demo.now + 9 * _DAY)
    demo.invoice(4, 45_000, "open", ago=5 * _DAY, due_date=due_at, collection_method="send_invoice")


def _tell_northwind(northwind: SampleCustomer) -> None:
    """Three paid months, a doubled invoice that was voided, a workshop that was given up, one that is still due, a
    disputed payment, and two events that wait for a person."""
    northwind.sign_up(ago=80 * _DAY + timedelta(minutes=5), last_four="4242")
    northwind.pay_monthly(seed_id("workspace:northwind-production"), "business", 19_900, periods=3)
    northwind.invoice(4, 19_900, "void", ago=47 * _DAY)
    northwind.invoice(5, 48_000, "uncollectible", ago=35 * _DAY, collection_method="send_invoice")
    _forgive(northwind, f"in_{northwind.mark}_5", ago=34 * _DAY)
    due_at = _seconds(northwind.now + 12 * _DAY)
    northwind.invoice(6, 123_456, "open", ago=2 * _DAY, due_date=due_at, collection_method="send_invoice")
    charge = {"id": f"ch_{northwind.mark}", "customer": northwind.customer_id, "amount": 19_900, "currency": "eur"}
    northwind.tell("charge.refunded", {**charge, "amount_refunded": 2_500}, ago=9 * _DAY)
    evidence = {"due_by": _seconds(northwind.now + 6 * _DAY)}
    dispute = {"id": f"dp_{northwind.mark}", "charge": charge["id"], "amount": 17_400, "currency": "eur"}
    told = {"status": "needs_response", "reason": "product_unacceptable", "evidence_details": evidence}
    northwind.tell("charge.dispute.created", {**dispute, **told}, ago=4 * _DAY)
    # Parked: a status that no document of Stripe's knows. Unmatched: a customer that nobody has spoken of.
    northwind.invoice(7, 19_900, "settled_elsewhere", ago=_DAY, step="updated")
    stranger = {"id": "in_of_a_stranger", "customer": "cus_of_a_stranger", "status": "paid", "currency": "eur"}
    northwind.tell("invoice.paid", {**stranger, "amount_paid": 9_900, "amount_due": 9_900}, ago=_DAY)


def _customer(context: ExecutionContext, slug: str, email: str, number: str) -> SampleCustomer:
    return SampleCustomer(context, seed_id(f"organization:{slug}"), email, clock.now(), number)


def _forgive(customer: SampleCustomer, external_id: str, *, ago: timedelta) -> None:
    """Let the invoice that locked the customer go, and unlock, unless that was done before."""
    invoice = ProviderInvoice.objects.get(provider=Provider.STRIPE, external_id=external_id)
    if invoice.forgiven_at is not None:
        return
    organization_id = OrganizationId(customer.organization_id)
    inside = customer.context.within(organization_id, is_demo=False)
    reason = "The workshop was cancelled; agreed with Olivia."
    with clock.as_of(customer.now - ago):
        invoice_forgive(inside, organization_id=organization_id, invoice_id=invoice.pk, reason=reason)
        payment_config_change(inside, organization_id=organization_id, change=Unlock(), reason=reason)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
