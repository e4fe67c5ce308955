"""Stripe's invoices and subscriptions in their current shapes, and in older ones where they are still sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from apps.payments.contracts import ObjectKind, ObjectSnapshot
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
    """An invoice; `step` ranks news of one status within one second."""
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
    """A subscription; `deleted_at` is the time of the event that tells its end."""
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
