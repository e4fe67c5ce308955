"""Parses Orb's events in both payload styles: the whole object, or little more than its id (spec 04, Webhooks)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from pydantic import Field

from apps.core.amounts import minor_digits
from apps.core.errors import MalformedRequestError
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import PROVIDER_SUBSCRIPTION_ORDER, CustomerStatus, InvoiceStatus, ProviderSubscriptionStatus
from apps.payments.providers.parsing import (
    Currency,
    ExternalId,
    IsoTime,
    Metadata,
    ProviderModel,
    short,
    text_in,
    uuid_in,
    validate,
)
from apps.subscriptions.enums import Provider

_STEPS = 16
_MOST_DIGITS = 15
_SUBSCRIPTION = (
    "created",
    "started",
    "plan_change_scheduled",
    "plan_changed",
    "cancellation_scheduled",
    "cancellation_unscheduled",
    "ended",
)
_INVOICE = ("issued", "payment_failed", "payment_succeeded")
_CUSTOMER = ("created", "credit_balance_dropped", "credit_balance_depleted")
_KINDS = {"subscription": _SUBSCRIPTION, "invoice": _INVOICE, "customer": _CUSTOMER}
ORB_TYPES = frozenset(f"{noun}.{step}" for noun, steps in _KINDS.items() for step in steps)

_INVOICE_STATUSES = {
    "draft": InvoiceStatus.DRAFT,
    "issued": InvoiceStatus.OPEN,
    "synced": InvoiceStatus.OPEN,
    "void": InvoiceStatus.VOID,
    "paid": InvoiceStatus.PAID,
}
_INVOICE_ORDER = (InvoiceStatus.DRAFT, InvoiceStatus.OPEN, InvoiceStatus.VOID, InvoiceStatus.PAID)
_SUBSCRIPTION_STATUSES = {
    "upcoming": ProviderSubscriptionStatus.INCOMPLETE,
    "active": ProviderSubscriptionStatus.ACTIVE,
    "ended": ProviderSubscriptionStatus.ENDED,
}


class _Envelope(ProviderModel):
    id: ExternalId
    type: ExternalId
    created_at: IsoTime
    properties: dict[str, Any] | None = None


class _Customer(ProviderModel):
    id: ExternalId
    external_customer_id: str | None = None
    email: str | None = None


class _Plan(ProviderModel):
    id: ExternalId | None = None
    external_plan_id: str | None = None


class _Subscription(ProviderModel):
    id: ExternalId
    customer: _Customer | None = None
    status: Literal["upcoming", "active", "ended"] | None = None
    plan: _Plan | None = None
    start_date: IsoTime | None = None
    end_date: IsoTime | None = None
    current_billing_period_start_date: IsoTime | None = None
    current_billing_period_end_date: IsoTime | None = None
    metadata: Metadata | None = None


class _OfSubscription(ProviderModel):
    id: ExternalId


class _Invoice(ProviderModel):
    id: ExternalId
    customer: _Customer | None = None
    subscription: _OfSubscription | None = None
    status: Literal["draft", "issued", "synced", "void", "paid"] | None = None
    invoice_number: str | None = None
    currency: Currency | None = None
    amount_due: str | None = Field(default=None, max_length=40)
    total: str | None = Field(default=None, max_length=40)
    issued_at: IsoTime | None = None
    invoice_date: IsoTime | None = None
    due_date: IsoTime | None = None
    paid_at: IsoTime | None = None
    hosted_invoice_url: str | None = None
    invoice_pdf: str | None = None


def parse_event(body: dict[str, Any]) -> ProviderEvent:
    """The event; its object is read only when we handle the type. Raises `MalformedRequestError`."""
    envelope = validate(_Envelope, body)
    snapshot = None
    if envelope.type in ORB_TYPES:
        noun, _, step = envelope.type.partition(".")
        resource = _resource(envelope, body, noun)
        snapshot = _PARSERS[noun](resource, step, envelope.created_at)
    return ProviderEvent(Provider.ORB, envelope.id, envelope.type, envelope.created_at, snapshot)


def parse_object(kind: ObjectKind, answer: dict[str, Any]) -> ObjectSnapshot:
    """An object as Orb answers it to our own question."""
    return _PARSERS[kind.value](answer, "", None)


def _resource(envelope: _Envelope, body: Mapping[str, Any], noun: str) -> dict[str, Any]:
    """The object of the event: whole under its noun, or named by its id among the properties."""
    properties = envelope.properties or {}
    found = body.get(noun)
    if isinstance(found, dict):
        return found
    if isinstance(found, str):
        return {"id": found}
    named = properties.get(noun)
    if isinstance(named, dict):
        return named
    customer = _customer_in(properties)
    return customer.get("customer", {}) if noun == "customer" else {"id": properties.get(f"{noun}_id"), **customer}


def _customer_in(properties: Mapping[str, Any]) -> dict[str, Any]:
    if "customer_id" not in properties:
        return {}
    return {
        "customer": {
            "id": properties["customer_id"],
            "external_customer_id": properties.get("external_customer_id"),
        }
    }


def _parse_subscription(body: dict[str, Any], step: str, at: datetime | None) -> ObjectSnapshot:
    subscription = validate(_Subscription, body, "subscription")
    status = _subscription_status(subscription, step)
    is_over = status is ProviderSubscriptionStatus.ENDED
    fields: dict[str, Any] = {
        "status": status,
        "started_at": subscription.start_date or (at if step == "started" else None),
        "ended_at": (subscription.end_date or at) if is_over else None,
        "period_start": subscription.current_billing_period_start_date,
        "period_end": subscription.current_billing_period_end_date,
        "plan_key": _plan_key(subscription),
        "cancel_at_period_end": _is_cancelled(subscription, step),
    }
    if subscription.metadata is not None:
        fields["workspace_id"] = uuid_in(subscription.metadata.get("workspace_id"))
    rank = PROVIDER_SUBSCRIPTION_ORDER.index(status) * _STEPS + (_SUBSCRIPTION.index(step) if step else 0)
    return _snapshot(ObjectKind.SUBSCRIPTION, subscription.id, subscription.customer, rank, fields)


def _subscription_status(subscription: _Subscription, step: str) -> ProviderSubscriptionStatus:
    if step == "ended":
        return ProviderSubscriptionStatus.ENDED
    if subscription.status is not None:
        return _SUBSCRIPTION_STATUSES[subscription.status]
    return ProviderSubscriptionStatus.INCOMPLETE if step == "created" else ProviderSubscriptionStatus.ACTIVE


def _is_cancelled(subscription: _Subscription, step: str) -> bool:
    if step in {"cancellation_scheduled", "cancellation_unscheduled"}:
        return step == "cancellation_scheduled"
    return subscription.end_date is not None


def _plan_key(subscription: _Subscription) -> str | None:
    named = text_in(subscription.metadata or {}, "plan")
    if named or subscription.plan is None:
        return named or None
    return short(subscription.plan.external_plan_id or subscription.plan.id, 255)


def _parse_invoice(body: dict[str, Any], step: str, at: datetime | None) -> ObjectSnapshot:
    invoice = validate(_Invoice, body, "invoice")
    if step == "payment_succeeded":
        status = InvoiceStatus.PAID
    else:
        status = _INVOICE_STATUSES[invoice.status] if invoice.status else InvoiceStatus.OPEN
    is_paid = status is InvoiceStatus.PAID
    due, total = _minor(invoice.amount_due, invoice.currency), _minor(invoice.total, invoice.currency)
    fields: dict[str, Any] = {
        "status": status,
        "number": short(invoice.invoice_number, 120) or None,
        "currency": invoice.currency.upper() if invoice.currency else None,
        "amount_due_minor": due,
        "total_minor": total,
        "amount_remaining_minor": 0 if is_paid else due,
        "amount_paid_minor": total if is_paid else None,
        "subscription_external_id": invoice.subscription.id if invoice.subscription else None,
        "issued_at": invoice.issued_at or invoice.invoice_date,
        "due_at": invoice.due_date,
        "paid_at": (invoice.paid_at or at) if is_paid else None,
        "hosted_invoice_url": _web_address(invoice.hosted_invoice_url),
        "invoice_pdf": _web_address(invoice.invoice_pdf),
    }
    rank = _INVOICE_ORDER.index(status) * _STEPS + (_INVOICE.index(step) if step else 0)
    firsts = {"failed_at": at} if step == "payment_failed" and at else {}
    return _snapshot(ObjectKind.INVOICE, invoice.id, invoice.customer, rank, fields, firsts)


def _parse_customer(body: dict[str, Any], step: str, at: datetime | None) -> ObjectSnapshot:
    customer = validate(_Customer, body, "customer")
    fields = {"status": CustomerStatus.ACTIVE, "email": short(customer.email, 320) or None}
    firsts = {"credits_depleted_at": at} if step == "credit_balance_depleted" and at else {}
    return _snapshot(ObjectKind.CUSTOMER, customer.id, customer, 0, fields, firsts)


def _snapshot(
    kind: ObjectKind,
    external_id: str,
    customer: _Customer | None,
    rank: int,
    fields: Mapping[str, Any],
    firsts: Mapping[str, datetime] | None = None,
) -> ObjectSnapshot:
    """Fields that the body leaves out (the short style) are left out here, so that they erase nothing."""
    return ObjectSnapshot(
        kind=kind,
        external_id=external_id,
        customer_id=customer.id if customer else "",
        rank=rank,
        organization_id=uuid_in(customer.external_customer_id) if customer else None,
        fields={name: value for name, value in fields.items() if value is not None},
        firsts=firsts or {},
    )


def _minor(text: str | None, currency: str | None) -> int | None:
    """Minor units of a decimal text such as "12.50"; raises `MalformedRequestError` when that is not exact."""
    if text is None or currency is None:
        return None
    try:
        value = Decimal(text).scaleb(minor_digits(currency.upper()))
        is_exact = value.is_finite() and abs(value.adjusted()) <= _MOST_DIGITS and value == int(value)
    except (InvalidOperation, ValueError, OverflowError):
        is_exact = False
    if not is_exact:
        raise MalformedRequestError(f"This is not an event that we can read. {text[:40]!r} is no amount of {currency}.")
    return int(value)


def _web_address(text: str | None) -> str | None:
    return text if text and text.startswith("https://") and len(text) <= 4_000 else None  # noqa: PLR2004


_PARSERS = {"subscription": _parse_subscription, "invoice": _parse_invoice, "customer": _parse_customer}
