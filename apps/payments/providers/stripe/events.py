"""Parses Stripe's events and invoices, in current and in older shapes (spec 04, Webhooks)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from apps.core.provider_units import iso_currency, minor_from_stripe
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import InvoiceStatus, WhyKept
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
    Seconds,
    maybe,
    short,
    validate,
    web_address,
)
from apps.payments.providers.stripe.customers import (
    parse_checkout,
    parse_customer,
    parse_dispute,
    parse_payment_method,
    parse_refund,
)
from apps.payments.providers.stripe.subscriptions import SUBSCRIPTION_STEPS, parse_subscription
from apps.subscriptions.enums import Provider


class _Data(ProviderModel):
    object: dict[str, Any]
    previous_attributes: MaybeObject = None


class _Envelope(ProviderModel):
    id: str
    type: str
    created: Seconds
    data: _Data
    account: Any = None
    livemode: Any = None

    @property
    def step(self) -> str:
        """What happened to the object."""
        return self.type.rpartition(".")[2]


# In the usual order: of two events of one second with the same status, the later one here is the later one.
_INVOICE = (
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
_CHECKOUT = ("completed", "async_payment_succeeded", "async_payment_failed", "expired")
_DISPUTE = ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")


_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def parse_event(body: dict[str, Any], *, is_live: bool = False) -> ProviderEvent:
    """The event; its object is read only when we handle the type. Raises `UnreadableError`.

    What another merchant's account tells us (Connect), and test mode where we are live, is none of our business.
    """
    parser = _TYPES.get(body.get("type", ""))
    if parser is None:
        return ProviderEvent(Provider.STRIPE, body["id"], body["type"], read_time(body) or _NO_TIME, None)
    ignore = WhyKept.OTHER_ACCOUNT if body.get("account") else None
    if is_live and body.get("livemode") is False:
        ignore = ignore or WhyKept.TEST_MODE
    if ignore is not None:
        return ProviderEvent(Provider.STRIPE, body["id"], body["type"], read_time(body) or _NO_TIME, None, ignore)
    envelope = validate(_Envelope, body)
    return ProviderEvent(Provider.STRIPE, envelope.id, envelope.type, envelope.created, parser(envelope))


def read_time(body: dict[str, Any]) -> datetime | None:
    """When the event happened; None where it does not say so in a way that we know."""
    read = maybe(_Created, body)
    return read.created if read else None


def parse_object(kind: ObjectKind, answer: dict[str, Any]) -> ObjectSnapshot:
    """An object as Stripe answers it to our own question."""
    return _OBJECTS[kind](answer)


def _invoice(envelope: _Envelope) -> ObjectSnapshot:
    step = envelope.step
    snapshot = parse_invoice(envelope.data.object, step=_INVOICE.index(step))
    moment = {
        "payment_failed": "failed_at",
        "marked_uncollectible": "uncollectible_at",
        "deleted": "deleted_at",
    }.get(step)
    firsts = {**snapshot.firsts, **({moment: envelope.created} if moment else {})}
    fields = {**snapshot.fields, "issued_at": snapshot.fields["issued_at"] or envelope.created}
    return replace(snapshot, firsts=firsts, fields=fields)


def _subscription(envelope: _Envelope) -> ObjectSnapshot:
    return parse_subscription(
        envelope.data.object,
        step=envelope.step,
        at=envelope.created,
        before=envelope.data.previous_attributes or {},
    )


def _customer(envelope: _Envelope) -> ObjectSnapshot:
    return parse_customer(envelope.data.object, is_deleted=envelope.type == "customer.deleted")


def _payment_method(envelope: _Envelope) -> ObjectSnapshot:
    return parse_payment_method(
        envelope.data.object,
        is_detached=envelope.step == "detached",
        customer_before=(envelope.data.previous_attributes or {}).get("customer"),
    )


def _checkout(envelope: _Envelope) -> ObjectSnapshot | None:
    return parse_checkout(envelope.data.object, step=envelope.step, at=envelope.created)


def _dispute(envelope: _Envelope) -> ObjectSnapshot:
    step = envelope.step
    return parse_dispute(envelope.data.object, step=step, rank=_DISPUTE.index(step), at=envelope.created)


_INVOICE_ORDER = ("draft", "open", "uncollectible", "void", "paid")
_STEPS = 16  # more than the event types of one object


class _Created(ProviderModel):
    created: Seconds


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


_TYPES: dict[str, Callable[[_Envelope], ObjectSnapshot | None]] = {
    "customer.updated": _customer,
    "customer.deleted": _customer,
    "payment_method.attached": _payment_method,
    "payment_method.detached": _payment_method,
    "charge.refunded": lambda envelope: parse_refund(envelope.data.object),
    # `customer.created` is not in the list of spec 04; it says whom a customer stands for, so we handle it too.
    "customer.created": _customer,
    **{f"checkout.session.{step}": _checkout for step in _CHECKOUT},
    **{f"charge.dispute.{step}": _dispute for step in _DISPUTE},
    **{f"customer.subscription.{step}": _subscription for step in SUBSCRIPTION_STEPS},
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
