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


@dataclass(frozen=True, slots=True)
class GraceStarted:
    """A grace period began."""

    name: ClassVar[BillingEventName] = BillingEventName.GRACE_STARTED
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class GraceEnded:
    """A grace period is over; `payment_status` is what it led to: okay, disabled, locked or manual."""

    name: ClassVar[BillingEventName] = BillingEventName.GRACE_ENDED
    payment_status: str


@dataclass(frozen=True, slots=True)
class SubscriptionStarted:
    """A subscription began at a provider."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_STARTED
    provider: str
    subscription_id: str
    plan: str


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """A subscription ended at a provider."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_ENDED
    provider: str
    subscription_id: str
    plan: str


@dataclass(frozen=True, slots=True)
class SubscriptionCancelled:
    """A workspace's subscription is to end with its period."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_CANCELLED
    provider: str
    subscription_id: str
    workspace_id: UUID


@dataclass(frozen=True, slots=True)
class SubscriptionUncancelled:
    """The cancellation was taken back: the subscription continues."""

    name: ClassVar[BillingEventName] = BillingEventName.SUBSCRIPTION_UNCANCELLED
    provider: str
    subscription_id: str
    workspace_id: UUID


@dataclass(frozen=True, slots=True)
class PlanPhaseChange:
    """A workspace's subscription moved to another plan."""

    name: ClassVar[BillingEventName] = BillingEventName.PLAN_PHASE_CHANGE
    provider: str
    subscription_id: str
    workspace_id: UUID
    plan: str


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
        return CheckoutCompleted(event.provider.value, snapshot.customer_id)
    if snapshot.kind is ObjectKind.INVOICE and event.type in _INVOICE_EVENTS:
        fact = _INVOICE_EVENTS[event.type]
        paid = int(snapshot.fields.get("amount_paid_minor") or 0)
        if fact is InvoicePaid and paid <= 0:
            return None  # a trial's invoice over nothing, or a credit: nobody paid (spec 04)
        amount = paid if fact is InvoicePaid else int(snapshot.fields.get("total_minor", 0))
        return fact(event.provider.value, snapshot.external_id, amount, str(snapshot.fields.get("currency", "")))
    if isinstance(row, ProviderSubscription) and event.type in _SUBSCRIPTION_EVENTS:
        return _SUBSCRIPTION_EVENTS[event.type](event.provider.value, snapshot.external_id, row.plan_key)
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
