"""Parses Stripe's invoices, in current and in older shapes (spec 04, Webhooks)."""

from __future__ import annotations

from typing import Any, Literal

from apps.core.provider_units import iso_currency, minor_from_stripe
from apps.payments.contracts import ObjectKind, ObjectSnapshot
from apps.payments.enums import InvoiceStatus
from apps.payments.providers.parsing import (
    ExternalId,
    MaybeMinor,
    MaybeNumber,
    MaybeObject,
    MaybeReference,
    MaybeSeconds,
    MaybeText,
    Minor,
    ProviderModel,
    maybe,
    short,
    validate,
    web_address,
)

# In the usual order: of two events of one second with the same status, the later one here is the later one.
INVOICE_STEPS = (
    "created",
    "updated",
    "finalized",
    "overdue",
    "payment_action_required",
    "payment_failed",
    "payment_succeeded",
    "paid",
    "marked_uncollectible",
    "voided",
    "deleted",
)
_INVOICE_ORDER = ("draft", "open", "uncollectible", "void", "paid")
_STEPS = 16  # more than the event types of one object


class _Transitions(ProviderModel):
    finalized_at: MaybeSeconds = None
    marked_uncollectible_at: MaybeSeconds = None
    paid_at: MaybeSeconds = None


class _SubscriptionDetails(ProviderModel):
    subscription: MaybeReference = None


class _Invoice(ProviderModel):
    id: ExternalId
    customer: MaybeReference = None
    status: Literal["draft", "open", "uncollectible", "void", "paid"]
    number: MaybeText = None
    currency: MaybeText = None
    amount_due: MaybeMinor = None
    # Absent in shapes of old API versions.
    amount_remaining: MaybeMinor = None
    total: MaybeMinor = None
    created: MaybeSeconds = None
    due_date: MaybeSeconds = None
    period_start: MaybeSeconds = None
    period_end: MaybeSeconds = None
    hosted_invoice_url: MaybeText = None
    invoice_pdf: MaybeText = None
    parent: MaybeObject = None
    subscription: MaybeReference = None
    status_transitions: MaybeObject = None
    collection_method: MaybeText = None
    billing_reason: MaybeText = None
    attempt_count: MaybeNumber = None


class _PaidAmount(ProviderModel):
    amount_paid: Minor


def parse_invoice(body: dict[str, Any], *, step: int = 0) -> ObjectSnapshot:
    """An invoice; `step` ranks events of one status within one second.

    In a currency that is none of ISO 4217 it is mirrored without money: what it says about being paid counts.
    """
    invoice = validate(_Invoice, body, "data.object")
    details = maybe(_SubscriptionDetails, (invoice.parent or {}).get("subscription_details"))
    transitions = maybe(_Transitions, invoice.status_transitions) or _Transitions()
    firsts = {"uncollectible_at": transitions.marked_uncollectible_at} if transitions.marked_uncollectible_at else {}
    return ObjectSnapshot(
        kind=ObjectKind.INVOICE,
        external_id=invoice.id,
        customer_id=invoice.customer or "",
        rank=_INVOICE_ORDER.index(invoice.status) * _STEPS + step,
        firsts=firsts,
        fact=f"{invoice.id}:{invoice.attempt_count}" if invoice.attempt_count else "",
        fields={
            "status": InvoiceStatus(invoice.status),
            "number": short(invoice.number, 120),
            **_amounts(invoice, body),
            "subscription_external_id": (details.subscription if details else None) or invoice.subscription or "",
            "issued_at": transitions.finalized_at or invoice.created,
            "due_at": invoice.due_date,
            "paid_at": transitions.paid_at,
            "period_start": invoice.period_start,
            "period_end": invoice.period_end,
            "hosted_invoice_url": web_address(invoice.hosted_invoice_url),
            "invoice_pdf": web_address(invoice.invoice_pdf),
            "collection_method": short(invoice.collection_method, 40),
            "billing_reason": short(invoice.billing_reason, 60),
            "attempt_count": invoice.attempt_count,
        },
    )


def _amounts(invoice: _Invoice, body: dict[str, Any]) -> dict[str, Any]:
    """In minor units of ISO 4217. What was paid decides about service: that, and no other amount, must be readable."""
    currency = iso_currency(invoice.currency)
    if not currency:
        names = ("amount_due_minor", "amount_paid_minor", "amount_remaining_minor", "total_minor")
        return {"currency": "", **dict.fromkeys(names, 0)}
    paid = validate(_PaidAmount, body, "data.object").amount_paid
    due = invoice.amount_due or 0
    remaining = invoice.amount_remaining
    if remaining is None:
        remaining = max(0, due - paid) if invoice.status == "open" else 0
    return {
        "currency": currency,
        "amount_due_minor": minor_from_stripe(due, currency),
        "amount_paid_minor": minor_from_stripe(paid, currency),
        "amount_remaining_minor": minor_from_stripe(remaining, currency),
        "total_minor": minor_from_stripe(invoice.total or 0, currency),
    }
