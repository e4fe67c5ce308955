"""Parses Orb's events in both payload styles: the whole object, or little more than its id (spec 04, Webhooks)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from apps.core.provider_units import iso_currency, minor_from_decimal
from apps.payments.contracts import ObjectKind, ObjectSnapshot, PricedItem, ProviderEvent
from apps.payments.enums import PROVIDER_SUBSCRIPTION_ORDER, CustomerStatus, InvoiceStatus, ProviderSubscriptionStatus
from apps.payments.pricing import pricing_values
from apps.payments.providers.orb.pricing import read_pricing
from apps.payments.providers.parsing import (
    ExternalId,
    IsoTime,
    MaybeIsoTime,
    MaybeMetadata,
    MaybeObject,
    MaybeReference,
    MaybeText,
    ProviderModel,
    maybe,
    short,
    text_in,
    unreadable,
    uuid_in,
    validate,
    web_address,
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


_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class _Envelope(ProviderModel):
    id: str
    type: str
    created_at: IsoTime
    properties: MaybeObject = None


class _Created(ProviderModel):
    created_at: IsoTime


class _Customer(ProviderModel):
    id: ExternalId
    external_customer_id: MaybeText = None
    email: MaybeText = None


class _Plan(ProviderModel):
    id: MaybeReference = None
    external_plan_id: MaybeText = None


class _Subscription(ProviderModel):
    id: ExternalId
    customer: MaybeObject = None
    status: Literal["upcoming", "active", "ended"] | None = None
    plan: MaybeObject = None
    start_date: MaybeIsoTime = None
    end_date: MaybeIsoTime = None
    current_billing_period_start_date: MaybeIsoTime = None
    current_billing_period_end_date: MaybeIsoTime = None
    metadata: MaybeMetadata = None


class _OfSubscription(ProviderModel):
    id: ExternalId


class _Invoice(ProviderModel):
    id: ExternalId
    customer: MaybeObject = None
    subscription: MaybeObject = None
    status: Literal["draft", "issued", "synced", "void", "paid"] | None = None
    invoice_number: MaybeText = None
    currency: MaybeText = None
    amount_due: Any = None
    total: Any = None
    issued_at: MaybeIsoTime = None
    invoice_date: MaybeIsoTime = None
    due_date: MaybeIsoTime = None
    paid_at: MaybeIsoTime = None
    hosted_invoice_url: MaybeText = None
    invoice_pdf: MaybeText = None


def parse_event(body: dict[str, Any]) -> ProviderEvent:
    """The event; its object is read only when we handle the type. Raises `UnreadableError`."""
    if body.get("type") not in ORB_TYPES:
        return ProviderEvent(Provider.ORB, body["id"], body["type"], read_time(body) or _NO_TIME, None)
    envelope = validate(_Envelope, body)
    noun, _, step = envelope.type.partition(".")
    snapshot = _PARSERS[noun](_resource(envelope, body, noun), step, envelope.created_at)
    return ProviderEvent(Provider.ORB, envelope.id, envelope.type, envelope.created_at, snapshot)


def read_time(body: dict[str, Any]) -> datetime | None:
    """When the event happened; None where it does not say so in a way that we know."""
    read = maybe(_Created, body)
    return read.created_at if read else None


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
    # The short style names its object by its id alone.
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
    is_cancelled = _is_cancelled(subscription, step, is_told="end_date" in body)
    fields: dict[str, Any] = {
        "status": status,
        "started_at": subscription.start_date or (at if step == "started" else None),
        "ended_at": (subscription.end_date or at) if is_over else None,
        "period_start": subscription.current_billing_period_start_date,
        "period_end": subscription.current_billing_period_end_date,
        "cancel_at_period_end": is_cancelled,
        "pricing": pricing_values(read_pricing(body)),
    }
    if subscription.metadata is not None:
        fields["workspace_id"] = uuid_in(subscription.metadata.get("workspace_id"))
        fields["plan_hint"] = text_in(subscription.metadata, "countinghouse_plan")
    rank = PROVIDER_SUBSCRIPTION_ORDER.index(status) * _STEPS + (_SUBSCRIPTION.index(step) if step else 0)
    customer = maybe(_Customer, subscription.customer)
    snapshot = _snapshot(ObjectKind.SUBSCRIPTION, subscription.id, customer, rank, fields)
    # None takes a date back, which a left-out field would not.
    ends = {} if is_over or is_cancelled is None else {"cancel_at": subscription.end_date if is_cancelled else None}
    return replace(snapshot, items=_items_of(subscription), fields={**snapshot.fields, **ends})


def _subscription_status(subscription: _Subscription, step: str) -> ProviderSubscriptionStatus:
    if step == "ended":
        return ProviderSubscriptionStatus.ENDED
    if subscription.status is not None:
        return _SUBSCRIPTION_STATUSES[subscription.status]
    return ProviderSubscriptionStatus.INCOMPLETE if step == "created" else ProviderSubscriptionStatus.ACTIVE


def _is_cancelled(subscription: _Subscription, step: str, *, is_told: bool) -> bool | None:
    """Whether it is to end; None where the short style does not say."""
    if step in {"cancellation_scheduled", "cancellation_unscheduled"}:
        return step == "cancellation_scheduled"
    return subscription.end_date is not None if is_told else None


def _items_of(subscription: _Subscription) -> tuple[PricedItem, ...]:
    """The plan, as the one thing that is priced; our own name of it is its external id."""
    plan = maybe(_Plan, subscription.plan)
    if plan is None or not (plan.id or plan.external_plan_id):
        return ()
    return (
        PricedItem(
            price_id=plan.id or "",
            lookup_key=short(plan.external_plan_id, 255),
            period_start=subscription.current_billing_period_start_date,
            period_end=subscription.current_billing_period_end_date,
        ),
    )


def _parse_invoice(body: dict[str, Any], step: str, at: datetime | None) -> ObjectSnapshot:
    invoice = validate(_Invoice, body, "invoice")
    if step == "payment_succeeded":
        status = InvoiceStatus.PAID
    else:
        status = _INVOICE_STATUSES[invoice.status] if invoice.status else InvoiceStatus.OPEN
    is_paid = status is InvoiceStatus.PAID
    currency = iso_currency(invoice.currency)
    due, total = _minor(invoice.amount_due, currency, "amount_due"), _minor(invoice.total, currency, "total")
    subscription = maybe(_OfSubscription, invoice.subscription)
    fields: dict[str, Any] = {
        "status": status,
        "number": short(invoice.invoice_number, 120) or None,
        "currency": currency if invoice.currency else None,
        "amount_due_minor": due,
        "total_minor": total,
        "amount_remaining_minor": 0 if is_paid else due,
        "amount_paid_minor": total if is_paid else None,
        "subscription_external_id": subscription.id if subscription else None,
        "issued_at": invoice.issued_at or invoice.invoice_date,
        "due_at": invoice.due_date,
        "paid_at": (invoice.paid_at or at) if is_paid else None,
        "hosted_invoice_url": web_address(invoice.hosted_invoice_url) or None,
        "invoice_pdf": web_address(invoice.invoice_pdf) or None,
    }
    rank = _INVOICE_ORDER.index(status) * _STEPS + (_INVOICE.index(step) if step else 0)
    firsts = {"failed_at": at} if step == "payment_failed" and at else {}
    return _snapshot(ObjectKind.INVOICE, invoice.id, maybe(_Customer, invoice.customer), rank, fields, firsts)


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


def _minor(amount: object, currency: str, field: str) -> int | None:
    """Minor units of an amount such as "12.50"; None where there is none, or no money. A tenth of a cent is rounded.

    Raises `UnreadableError` for what is no amount at all.
    """
    if amount is None or not currency:
        return None
    try:
        value = Decimal(amount) if isinstance(amount, str | int | Decimal) else Decimal("NaN")
    except (InvalidOperation, ValueError):
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        raise unreadable(f"invoice.{field}", f"is no amount of {currency}")
    return minor_from_decimal(value, currency)


_PARSERS = {"subscription": _parse_subscription, "invoice": _parse_invoice, "customer": _parse_customer}
