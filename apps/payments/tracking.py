"""Tracking: each thing that happened to a customer's money, once, with typed properties (spec 04, Tracking).

Recorded in the transaction of its cause, so that there is neither one without the other. Sent to Segment through the
outbox where a write key is set.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.conf import settings

from apps.core import clock
from apps.core.canonical import plain
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.operations import require
from apps.core.outbox import outbox_enqueue
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import BillingEventName
from apps.payments.mirror import SubscriptionBefore
from apps.payments.models import BillingEvent, MirroredObject, ProviderSubscription
from apps.tenants.models import Organization

SEGMENT_KIND = "segment.track"
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class CheckoutStarted:
    """An owner went to Stripe's checkout; `mode` is `setup` or `subscription`."""

    name: ClassVar[BillingEventName] = BillingEventName.CHECKOUT_STARTED
    mode: str
    workspace_id: UUID
    plan: str


@dataclass(frozen=True, slots=True)
class CheckoutCompleted:
    """Stripe's checkout was completed."""

    name: ClassVar[BillingEventName] = BillingEventName.CHECKOUT_COMPLETED
    provider: str
    customer_id: str
    session_id: str
    subscription_id: str


@dataclass(frozen=True, slots=True)
class GraceStarted:
    """A grace period began."""

    name: ClassVar[BillingEventName] = BillingEventName.GRACE_STARTED
    ends_at: datetime | None
    previous_payment_status: str


@dataclass(frozen=True, slots=True)
class GraceEnded:
    """A grace period is over; `payment_status` is what it led to: okay, disabled, locked or manual."""

    name: ClassVar[BillingEventName] = BillingEventName.GRACE_ENDED
    payment_status: str
    previous_payment_status: str


@dataclass(frozen=True, slots=True)
class _SubscriptionFacts:
    """Without a workspace it is the organization's."""

    provider: str
    subscription_id: str
    plan: str
    workspace_id: UUID | None


@dataclass(frozen=True, slots=True)
class SubscriptionStarted(_SubscriptionFacts):
    """A subscription began at a provider."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_STARTED


@dataclass(frozen=True, slots=True)
class SubscriptionEnded(_SubscriptionFacts):
    """A subscription ended at a provider."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_ENDED


@dataclass(frozen=True, slots=True)
class SubscriptionCancelled(_SubscriptionFacts):
    """A subscription is to end, at `cancel_at`."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_CANCELLED
    cancel_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubscriptionUncancelled(_SubscriptionFacts):
    """The cancellation was taken back: the subscription continues."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_UNCANCELLED


@dataclass(frozen=True, slots=True)
class PlanPhaseChange(_SubscriptionFacts):
    """A subscription moved to another plan."""

    name: ClassVar[BillingEventName] = BillingEventName.PLAN_PHASE_CHANGE
    previous_plan: str


@dataclass(frozen=True, slots=True)
class _InvoiceFacts:
    """`amount_minor` is in minor units of `currency`."""

    provider: str
    invoice_id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class InvoicePaid(_InvoiceFacts):
    """An invoice was paid."""

    name: ClassVar[BillingEventName] = BillingEventName.INVOICE_PAID


@dataclass(frozen=True, slots=True)
class InvoicePaymentFailed(_InvoiceFacts):
    """A payment of an invoice failed."""

    name: ClassVar[BillingEventName] = BillingEventName.INVOICE_FAILED


@dataclass(frozen=True, slots=True)
class InvoiceUncollectible(_InvoiceFacts):
    """An invoice was given up."""

    name: ClassVar[BillingEventName] = BillingEventName.INVOICE_UNCOLLECTIBLE


@dataclass(frozen=True, slots=True)
class CreditsGranted:
    """Credits were granted; `credits` is a decimal text."""

    name: ClassVar[BillingEventName] = BillingEventName.CREDITS_GRANTED
    credits: str
    grant_type: str


@dataclass(frozen=True, slots=True)
class CreditsExhausted:
    """A balance came to its floor; `balance` is a decimal text."""

    name: ClassVar[BillingEventName] = BillingEventName.CREDITS_EXHAUSTED
    balance: str


Tracked = (
    CheckoutStarted
    | CheckoutCompleted
    | GraceStarted
    | GraceEnded
    | SubscriptionStarted
    | SubscriptionEnded
    | SubscriptionCancelled
    | SubscriptionUncancelled
    | PlanPhaseChange
    | InvoicePaid
    | InvoicePaymentFailed
    | InvoiceUncollectible
    | CreditsGranted
    | CreditsExhausted
)


def billing_event_record(
    context: ExecutionContext, *, properties: Tracked, organization_id: OrganizationId, occurred_at: datetime, key: str
) -> bool:
    """Record one event, once for its key, in the transaction of its cause; whether it was new."""
    require(context, "billing_events.record")
    event = BillingEvent(
        organization_id=organization_id,
        name=properties.name,
        key=key[:_LONGEST_KEY],
        properties=plain(dataclasses.asdict(properties), "properties"),
        occurred_at=occurred_at,
        recorded_at=clock.now(),
        request_id=context.request_id,
    )
    BillingEvent.objects.bulk_create([event], ignore_conflicts=True)
    if not BillingEvent.objects.filter(pk=event.pk).exists():
        return False
    if settings.SEGMENT_WRITE_KEY:
        _enqueue(context, event, organization_id)
    return True


def track_event(
    context: ExecutionContext,
    event: ProviderEvent,
    snapshot: ObjectSnapshot,
    row: MirroredObject,
    organization_id: OrganizationId,
) -> None:
    """Record what a provider's event says; two events that say the same of one object are one.

    `row` is the mirrored object after the event.
    """
    properties = _describe(event, snapshot, row)
    if properties is None:
        return
    # Payments fail more than once; everything else happens to an object a single time.
    once = snapshot.external_id
    if isinstance(properties, InvoicePaymentFailed | CheckoutCompleted):
        once = snapshot.fact or event.event_id
    billing_event_record(
        context,
        properties=properties,
        organization_id=organization_id,
        occurred_at=event.occurred_at,
        key=f"{properties.name.name.lower()}:{event.provider.value}:{once}",
    )


def track_subscription_change(
    context: ExecutionContext, row: ProviderSubscription, before: SubscriptionBefore, organization_id: OrganizationId
) -> None:
    """Record what a later event changed of a mirrored subscription, whoever follows it: its end, and its plan."""
    named = (row.provider, row.external_id, row.plan_key, row.workspace_id)
    found: list[Tracked] = []
    if row.cancel_at_period_end and not before.is_to_end:
        found.append(SubscriptionCancelled(*named, row.cancel_at or row.period_end))
    elif before.is_to_end and not row.cancel_at_period_end and row.ended_at is None:
        found.append(SubscriptionUncancelled(*named))
    if row.plan_key and before.plan_key and row.plan_key != before.plan_key:
        found.append(PlanPhaseChange(*named, before.plan_key))
    for properties in found:
        billing_event_record(
            context,
            properties=properties,
            organization_id=organization_id,
            occurred_at=row.news_at,
            key=f"{properties.name.name.lower()}:{row.provider}:{row.external_id}:{row.news_id}",
        )


_INVOICE_EVENTS: dict[str, type[InvoicePaid | InvoicePaymentFailed | InvoiceUncollectible]] = {
    "invoice.paid": InvoicePaid,
    "invoice.payment_succeeded": InvoicePaid,
    "invoice.payment_failed": InvoicePaymentFailed,
    "invoice.marked_uncollectible": InvoiceUncollectible,
}
_SUBSCRIPTION_EVENTS: dict[str, type[SubscriptionStarted | SubscriptionEnded]] = {
    "customer.subscription.created": SubscriptionStarted,
    "subscription.started": SubscriptionStarted,
    "customer.subscription.deleted": SubscriptionEnded,
    "subscription.ended": SubscriptionEnded,
}


def _describe(event: ProviderEvent, snapshot: ObjectSnapshot, row: MirroredObject) -> Tracked | None:
    if event.type == "checkout.session.completed":
        return CheckoutCompleted(event.provider.value, snapshot.customer_id, snapshot.fact, snapshot.subscription_id)
    if snapshot.kind is ObjectKind.INVOICE and event.type in _INVOICE_EVENTS:
        fact = _INVOICE_EVENTS[event.type]
        paid = int(snapshot.fields.get("amount_paid_minor") or 0)
        if fact is InvoicePaid and paid <= 0:
            return None  # a trial's invoice over nothing, or a credit: nobody paid (spec 04)
        amount = paid if fact is InvoicePaid else int(snapshot.fields.get("total_minor", 0))
        return fact(event.provider.value, snapshot.external_id, amount, str(snapshot.fields.get("currency", "")))
    if isinstance(row, ProviderSubscription) and event.type in _SUBSCRIPTION_EVENTS:
        step = _SUBSCRIPTION_EVENTS[event.type]
        return step(event.provider.value, snapshot.external_id, row.plan_key, row.workspace_id)
    return None


def _enqueue(context: ExecutionContext, event: BillingEvent, organization_id: OrganizationId) -> None:
    is_demo = Organization.objects.values_list("is_demo", flat=True).get(pk=organization_id)
    outbox_enqueue(
        context,
        kind=SEGMENT_KIND,
        key=f"billing-event-{event.pk}",
        payload={
            "userId": str(organization_id),
            "event": event.name,
            "properties": event.properties,
            "timestamp": event.occurred_at.isoformat(),
        },
        organization_id=organization_id,
        is_demo=is_demo,
    )
