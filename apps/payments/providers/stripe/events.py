"""Parses Stripe's events, invoices and subscriptions, in current and in older shapes (spec 04, Webhooks)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import PROVIDER_SUBSCRIPTION_ORDER, InvoiceStatus, ProviderSubscriptionStatus
from apps.payments.providers.parsing import (
    Currency,
    ExternalId,
    Metadata,
    Minor,
    ProviderModel,
    Reference,
    Seconds,
    later,
    short,
    text_in,
    uuid_in,
    validate,
)
from apps.payments.providers.stripe.customers import (
    parse_checkout,
    parse_customer,
    parse_dispute,
    parse_payment_method,
    parse_refund,
)
from apps.subscriptions.enums import Provider


class _Data(ProviderModel):
    object: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None


class _Envelope(ProviderModel):
    id: ExternalId
    type: ExternalId
    created: Seconds
    data: _Data


_SUBSCRIPTION = ("created", "updated", "deleted", "paused", "resumed", "trial_will_end")
# In the usual order: of two events of one second with the same status, the later one here is the later one.
_INVOICE = (
    "created",
    "updated",
    "finalized",
    "payment_action_required",
    "payment_failed",
    "payment_succeeded",
    "paid",
    "marked_uncollectible",
    "voided",
)


def parse_event(body: dict[str, Any]) -> ProviderEvent:
    """The event; its object is read only when we handle the type. Raises `MalformedRequestError`."""
    envelope = validate(_Envelope, body)
    parser = _TYPES.get(envelope.type)
    snapshot = parser(envelope) if parser else None
    return ProviderEvent(Provider.STRIPE, envelope.id, envelope.type, envelope.created, snapshot)


def parse_object(kind: ObjectKind, answer: dict[str, Any]) -> ObjectSnapshot:
    """An object as Stripe answers it to our own question."""
    return _OBJECTS[kind](answer)


def _invoice(envelope: _Envelope) -> ObjectSnapshot:
    step = envelope.type.removeprefix("invoice.")
    snapshot = parse_invoice(envelope.data.object, step=_INVOICE.index(step))
    firsts = dict(snapshot.firsts)
    if step == "payment_failed":
        firsts["failed_at"] = envelope.created
    if step == "marked_uncollectible":
        firsts["uncollectible_at"] = envelope.created
    return replace(snapshot, firsts=firsts)


def _subscription(envelope: _Envelope) -> ObjectSnapshot:
    step = envelope.type.removeprefix("customer.subscription.")
    deleted_at = envelope.created if step == "deleted" else None
    return parse_subscription(envelope.data.object, step=_SUBSCRIPTION.index(step), deleted_at=deleted_at)


def _customer(envelope: _Envelope) -> ObjectSnapshot:
    return parse_customer(envelope.data.object, is_deleted=envelope.type == "customer.deleted")


def _payment_method(envelope: _Envelope) -> ObjectSnapshot:
    return parse_payment_method(
        envelope.data.object,
        is_detached=envelope.type == "payment_method.detached",
        customer_before=(envelope.data.previous_attributes or {}).get("customer"),
    )


def _checkout(envelope: _Envelope) -> ObjectSnapshot | None:
    return parse_checkout(envelope.data.object, completed_at=envelope.created)


_INVOICE_ORDER = ("draft", "open", "uncollectible", "void", "paid")
_STEPS = 16  # more than the event types of one object

_SUBSCRIPTION_STATUSES = {
    "incomplete": ProviderSubscriptionStatus.INCOMPLETE,
    # It never ran: the first payment did not come.
    "incomplete_expired": ProviderSubscriptionStatus.INCOMPLETE,
    "trialing": ProviderSubscriptionStatus.TRIALING,
    "active": ProviderSubscriptionStatus.ACTIVE,
    "past_due": ProviderSubscriptionStatus.PAST_DUE,
    "unpaid": ProviderSubscriptionStatus.PAST_DUE,
    "paused": ProviderSubscriptionStatus.PAUSED,
    "canceled": ProviderSubscriptionStatus.ENDED,
}
_NOTHING: Metadata = {}


class _Transitions(ProviderModel):
    finalized_at: Seconds | None = None
    marked_uncollectible_at: Seconds | None = None
    paid_at: Seconds | None = None


class _SubscriptionDetails(ProviderModel):
    subscription: Reference | None = None


class _Parent(ProviderModel):
    subscription_details: _SubscriptionDetails | None = None


class _Invoice(ProviderModel):
    id: ExternalId
    customer: Reference | None = None
    status: Literal["draft", "open", "uncollectible", "void", "paid"]
    number: str | None = None
    currency: Currency
    amount_due: Minor
    amount_paid: Minor
    # Absent in shapes of old API versions.
    amount_remaining: Minor | None = None
    total: Minor = 0
    created: Seconds
    due_date: Seconds | None = None
    period_start: Seconds | None = None
    period_end: Seconds | None = None
    hosted_invoice_url: str | None = None
    invoice_pdf: str | None = None
    parent: _Parent | None = None
    subscription: Reference | None = None
    status_transitions: _Transitions = Field(default_factory=_Transitions)


def parse_invoice(body: dict[str, Any], *, step: int = 0) -> ObjectSnapshot:
    """An invoice; `step` ranks events of one status within one second."""
    invoice = validate(_Invoice, body, "data.object")
    details = invoice.parent.subscription_details if invoice.parent else None
    transitions = invoice.status_transitions
    firsts = {"uncollectible_at": transitions.marked_uncollectible_at} if transitions.marked_uncollectible_at else {}
    return ObjectSnapshot(
        kind=ObjectKind.INVOICE,
        external_id=invoice.id,
        customer_id=invoice.customer or "",
        rank=_INVOICE_ORDER.index(invoice.status) * _STEPS + step,
        firsts=firsts,
        fields={
            "status": InvoiceStatus(invoice.status),
            "number": short(invoice.number, 120),
            "currency": invoice.currency.upper(),
            "amount_due_minor": invoice.amount_due,
            "amount_paid_minor": invoice.amount_paid,
            "amount_remaining_minor": _remaining(invoice),
            "total_minor": invoice.total,
            "subscription_external_id": (details.subscription if details else None) or invoice.subscription or "",
            "issued_at": transitions.finalized_at or invoice.created,
            "due_at": invoice.due_date,
            "paid_at": transitions.paid_at,
            "period_start": invoice.period_start,
            "period_end": invoice.period_end,
            "hosted_invoice_url": _web_address(invoice.hosted_invoice_url),
            "invoice_pdf": _web_address(invoice.invoice_pdf),
        },
    )


def _remaining(invoice: _Invoice) -> int:
    if invoice.amount_remaining is not None:
        return invoice.amount_remaining
    return max(0, invoice.amount_due - invoice.amount_paid) if invoice.status == "open" else 0


class _Price(ProviderModel):
    id: ExternalId
    lookup_key: str | None = None


class _Item(ProviderModel):
    price: _Price | None = None
    current_period_start: Seconds | None = None
    current_period_end: Seconds | None = None


class _Items(ProviderModel):
    data: list[_Item]


class _Subscription(ProviderModel):
    id: ExternalId
    customer: Reference
    status: Literal[
        "incomplete", "incomplete_expired", "trialing", "active", "past_due", "unpaid", "paused", "canceled"
    ]
    cancel_at_period_end: bool = False
    start_date: Seconds | None = None
    created: Seconds
    ended_at: Seconds | None = None
    trial_end: Seconds | None = None
    items: _Items
    # Of the shapes before 2025-03-31.
    current_period_start: Seconds | None = None
    current_period_end: Seconds | None = None
    metadata: Metadata | None = None


def parse_subscription(body: dict[str, Any], *, step: int = 0, deleted_at: datetime | None = None) -> ObjectSnapshot:
    """A subscription; `deleted_at` is the time of the event that ended it."""
    subscription = validate(_Subscription, body, "data.object")
    status = ProviderSubscriptionStatus.ENDED if deleted_at else _SUBSCRIPTION_STATUSES[subscription.status]
    items, metadata = subscription.items.data, subscription.metadata or _NOTHING
    starts = [item.current_period_start for item in items] + [subscription.current_period_start]
    is_over = status is ProviderSubscriptionStatus.ENDED
    return ObjectSnapshot(
        kind=ObjectKind.SUBSCRIPTION,
        external_id=subscription.id,
        customer_id=subscription.customer,
        rank=PROVIDER_SUBSCRIPTION_ORDER.index(status) * _STEPS + step,
        fields={
            "status": status,
            "workspace_id": uuid_in(metadata.get("workspace_id")),
            "plan_key": _plan_key(items, metadata),
            "started_at": subscription.start_date or subscription.created,
            "ended_at": (subscription.ended_at or deleted_at) if is_over else None,
            "trial_ends_at": subscription.trial_end,
            "period_start": later(*starts),
            "period_end": later(*(item.current_period_end for item in items), subscription.current_period_end),
            "cancel_at_period_end": subscription.cancel_at_period_end,
        },
    )


def _plan_key(items: list[_Item], metadata: Metadata) -> str:
    """Our own plan's slug where we wrote it down, else the price's lookup key, else the price."""
    prices = [item.price for item in items if item.price]
    keys = [text_in(metadata, "plan"), *(price.lookup_key or "" for price in prices), *(price.id for price in prices)]
    return short(next((key for key in keys if key), ""), 255)


def _web_address(text: str | None) -> str:
    """An address to link to; anything that is not https is not shown as a link."""
    return text if text and text.startswith("https://") and len(text) <= 4_000 else ""  # noqa: PLR2004


_TYPES: dict[str, Callable[[_Envelope], ObjectSnapshot | None]] = {
    "checkout.session.completed": _checkout,
    "customer.updated": _customer,
    "customer.deleted": _customer,
    "payment_method.attached": _payment_method,
    "payment_method.detached": _payment_method,
    "charge.refunded": lambda envelope: parse_refund(envelope.data.object),
    "charge.dispute.created": lambda envelope: parse_dispute(envelope.data.object),
    # `customer.created` is not in the list of spec 04; it says whom a customer stands for, so we handle it too.
    "customer.created": _customer,
    **{f"customer.subscription.{step}": _subscription for step in _SUBSCRIPTION},
    **{f"invoice.{step}": _invoice for step in _INVOICE},
}
STRIPE_TYPES = frozenset(_TYPES)

_OBJECTS: dict[ObjectKind, Callable[[dict[str, Any]], ObjectSnapshot]] = {
    ObjectKind.CUSTOMER: parse_customer,
    ObjectKind.SUBSCRIPTION: parse_subscription,
    ObjectKind.INVOICE: parse_invoice,
    ObjectKind.PAYMENT_METHOD: parse_payment_method,
    ObjectKind.DISPUTE: parse_dispute,
    ObjectKind.REFUND: parse_refund,
}
