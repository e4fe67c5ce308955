"""Lives of a customer as events, and what is left of them in our records, without what differs by nature."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.core.ids import RequestId
from apps.payments.contracts import ObjectKind
from apps.payments.enums import WebhookStatus
from apps.payments.models import GraceAnchor, ProviderCustomer, ProviderInvoice, ProviderSubscription, Review
from apps.payments.processing import process
from apps.payments.providers.contract import EventPage, payment_provider
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import WorkspaceSubscription
from tests.payments.cast import NOON, Stripe, Tenant

Event = dict[str, Any]
_OWN = {"id", "organization_id", "workspace_id", "customer_external_id", "external_id", "number", "news_id"}
_OF_WORK = {
    "created_at",
    "asked_ticket",
    "answered_ticket",
    "lock_settled_at",
    "subscription_external_id",
    "version",
    "told_at",
}
_LEFT_OUT = _OWN | _OF_WORK | {"provider_subscription_id"}


def seven_events(tenant: Tenant) -> list[Event]:
    """A checkout, a trial that becomes active, a first invoice, and a second one that fails and is paid; two ties."""
    stripe, day = Stripe(tenant), timedelta(days=1)
    second = NOON + 30 * day
    return [
        stripe.checkout(NOON),
        stripe.event("customer.subscription.created", stripe.subscription("incomplete"), NOON),
        stripe.event("customer.subscription.updated", stripe.subscription("active"), NOON),
        stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON + day),
        stripe.event("invoice.payment_failed", stripe.invoice("2", "open"), second),
        stripe.event("invoice.updated", stripe.invoice("2", "open", due_date=int(second.timestamp())), second),
        stripe.event("invoice.paid", stripe.invoice("2", "paid"), second + day),
    ]


def hard_events(tenant: Tenant) -> list[Event]:
    """Two unpaid invoices of which the older is paid, a third voided in the same second, and an end."""
    stripe, day = Stripe(tenant), timedelta(days=1)
    ended = stripe.subscription("canceled", trial_end=_trial_end())
    return [
        stripe.checkout(NOON),
        stripe.event("customer.subscription.created", stripe.subscription("trialing", trial_end=_trial_end()), NOON),
        stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON + day),
        stripe.event("invoice.payment_failed", stripe.invoice("2", "open"), NOON + 2 * day),
        stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON + 3 * day),
        stripe.event("invoice.voided", stripe.invoice("3", "void"), NOON + 3 * day),
        stripe.event("customer.subscription.deleted", ended, NOON + 4 * day),
    ]


def moving_events(tenant: Tenant) -> list[Event]:
    """A subscription whose plan is changed in the portal, paused and deleted, and a second one of a second customer."""
    stripe, day = Stripe(tenant), timedelta(days=1)
    second: dict[str, Any] = {"customer": f"{tenant.customer}_2"}
    other, later = stripe.customer(id=second["customer"]), NOON + 2 * day
    return [
        stripe.checkout(NOON),
        stripe.event("customer.subscription.created", stripe.subscription("active"), NOON),
        stripe.event("customer.subscription.updated", stripe.subscription("active", plan="business"), NOON + day),
        stripe.event("customer.created", other, later),
        stripe.event(
            "customer.subscription.created", stripe.second("active", NOON + 2 * day, **second), NOON + 2 * day
        ),
        stripe.event("customer.subscription.paused", stripe.subscription("paused", plan="business"), NOON + 3 * day),
        stripe.event("customer.subscription.deleted", stripe.subscription("canceled", plan="business"), NOON + 4 * day),
    ]


def doubled_events(tenant: Tenant) -> list[Event]:
    """Two that are both charged: one in trial that is cancelled by date, one past due and active again; two ties."""
    stripe, day = Stripe(tenant), timedelta(days=1)
    trial: dict[str, Any] = {"trial_end": _trial_end()}
    start = NOON + 2 * day
    return [
        stripe.checkout(NOON),
        stripe.event("customer.subscription.created", stripe.subscription("trialing", **trial), NOON),
        stripe.event("customer.subscription.created", stripe.second("active", start, plan="business"), start),
        stripe.event("customer.subscription.updated", stripe.second("past_due", start, plan="business"), start + day),
        stripe.event(
            "customer.subscription.updated",
            stripe.subscription("trialing", cancel_at_period_end=True, **trial),
            start + day,
        ),
        stripe.event("customer.subscription.updated", stripe.second("active", start, plan="business"), start + 2 * day),
        stripe.event("customer.subscription.trial_will_end", stripe.subscription("trialing", **trial), NOON + day),
    ]


def _trial_end() -> int:
    return int((NOON + timedelta(days=14)).timestamp())


def process_all(events: Sequence[Event]) -> None:
    """Process the events in this order, without the inbox; those of an unknown customer wait, as they do there."""
    waiting: list[Event] = []
    for event in events:
        waiting = process_next(event, waiting)
    assert waiting == []


def process_next(event: Event, waiting: Sequence[Event]) -> list[Event]:
    """Process the event, then those that waited; what waits now."""
    if not _is_processed(event):
        return [*waiting, event]
    return [one for one in waiting if not _is_processed(one)]


def _is_processed(event: Event) -> bool:
    parsed = payment_provider(Provider.STRIPE).parse_event(event)
    return process(parsed, request_id=RequestId("test-of-orders")).status == WebhookStatus.PROCESSED


def state_of(tenant: Tenant) -> dict[str, Any]:
    """Everything that the events have led to, comparable between tenants."""
    config = tenant.config
    anchor = GraceAnchor.objects.filter(organization=tenant.organization).values("anchored_at", "ends_at").first()
    record = WorkspaceSubscription.objects.filter(workspace=tenant.workspace).values().first()
    mirrored = {
        model.__name__: [
            _comparable(row)
            for row in model.objects.filter(organization=tenant.organization).order_by("external_id").values()
        ]
        for model in (ProviderCustomer, ProviderSubscription, ProviderInvoice)
    }
    return {
        "payment_status": config.payment_status,
        "subscription_status": config.subscription_status,
        "subscription_scope": config.subscription_scope,
        "grace_period_end_at": config.grace_period_end_at,
        "anchor": anchor,
        "record": _comparable(record) if record else None,
        "follows": record["provider_subscription_id"].rpartition("_")[2] if record else None,
        "reviews": sorted(Review.objects.filter(organization=tenant.organization).values_list("kind", flat=True)),
        **mirrored,
    }


def _comparable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _LEFT_OUT}


class StripeTruth:
    """Stripe's API as it would answer: the objects as they are in the end, and every event."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[Event] = []
        self.questions = 0

    def fetch_object(self, kind: ObjectKind, external_id: str) -> dict[str, Any] | None:
        self.questions += 1
        return self.objects.get(external_id)

    def list_events(self, since: datetime, *, until: datetime, after: str = "") -> EventPage:
        return EventPage(self.events)


def random_life(stripe: Stripe, chance: random.Random) -> list[Event]:
    """A checkout and some invoices that fail, are paid, voided or given up, often within one second."""
    events = [stripe.checkout(NOON)]
    for number in range(chance.randint(1, 4)):
        at = NOON + timedelta(hours=chance.randint(0, 20))
        events.append(stripe.event("invoice.finalized", stripe.invoice(str(number), "open"), at))
        for kind, status in chance.choice(_FATES):
            at += timedelta(seconds=chance.choice([0, 0, 1, 3600]))
            events.append(stripe.event(f"invoice.{kind}", stripe.invoice(str(number), status), at))
    return events


_FAILED, _PAID = ("payment_failed", "open"), ("paid", "paid")
_FATES: Sequence[Sequence[tuple[str, str]]] = (
    (_PAID,),
    (_FAILED, _PAID),
    (_FAILED,),
    (_FAILED, ("updated", "open"), _FAILED),
    (_FAILED, ("voided", "void")),
    (_FAILED, _FAILED, ("payment_succeeded", "paid"), _PAID),
    (_FAILED, ("marked_uncollectible", "uncollectible")),
)
_GIVEN_UP = "marked_uncollectible"


def expected_status(events: Sequence[Event]) -> str:
    """What the whole life comes to, told in order by somebody who has seen all of it; a rule of this test's own."""
    last: dict[str, str] = {}
    failed: set[str] = set()
    for event in events[1:]:
        thing = event["data"]["object"]
        last[thing["id"]] = thing["status"]
        if event["type"].endswith("payment_failed"):
            failed.add(thing["id"])
        if event["type"].endswith(_GIVEN_UP):
            return "locked"
    return "grace_period" if any(status == "open" and name in failed for name, status in last.items()) else "okay"
