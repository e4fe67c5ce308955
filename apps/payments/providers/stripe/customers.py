"""Parses Stripe's customers and what belongs to them: checkouts, payment methods, refunds, disputes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from apps.core.provider_units import iso_currency, minor_from_stripe
from apps.payments.contracts import ObjectKind, ObjectSnapshot
from apps.payments.enums import CustomerStatus, PaymentMethodStatus
from apps.payments.providers.parsing import (
    ExternalId,
    MaybeFlag,
    MaybeMetadata,
    MaybeNumber,
    MaybeObject,
    MaybeReference,
    MaybeSeconds,
    MaybeText,
    Minor,
    ProviderModel,
    maybe,
    short,
    uuid_in,
    validate,
)

_PAID, _FREE = "paid", "no_payment_required"
_UNPAID_STEPS = frozenset({"async_payment_failed", "expired"})
_LAST_MONTH, _LAST_YEAR = 12, 9999


class _InvoiceSettings(ProviderModel):
    default_payment_method: MaybeReference = None


class _Customer(ProviderModel):
    id: ExternalId
    email: MaybeText = None
    metadata: MaybeMetadata = None
    invoice_settings: MaybeObject = None
    deleted: MaybeFlag = None


def parse_customer(body: dict[str, Any], *, is_deleted: bool = False, at: datetime | None = None) -> ObjectSnapshot:
    """A customer, with the organization that we wrote into its metadata; of an event also when."""
    customer = validate(_Customer, body, "data.object")
    is_gone = is_deleted or customer.deleted is True
    settings = maybe(_InvoiceSettings, customer.invoice_settings)
    method = (settings.default_payment_method if settings else None) or ""
    return ObjectSnapshot(
        kind=ObjectKind.CUSTOMER,
        external_id=customer.id,
        customer_id=customer.id,
        rank=int(is_gone),
        organization_id=uuid_in((customer.metadata or {}).get("organization_id")),
        fields={
            "status": CustomerStatus.DELETED if is_gone else CustomerStatus.ACTIVE,
            "email": short(customer.email, 320),
            "default_payment_method_id": method,
        },
        firsts={"method_named_at": at} if method and at else {},
    )


class _Checkout(ProviderModel):
    id: ExternalId
    customer: MaybeReference = None
    subscription: MaybeReference = None
    metadata: MaybeMetadata = None
    money: MaybeText = Field(default=None, alias="payment_status")


def parse_checkout(body: dict[str, Any], *, step: str, at: datetime) -> ObjectSnapshot | None:
    """A checkout, as a snapshot of its customer; None where it has none, and so buys nothing lasting.

    It says whom the customer stands for only by the metadata that we gave it: anybody may write a
    `client_reference_id` into the address of a payment link. One that still waits for its money has not been completed
    yet: its asynchronous outcome tells. One with nothing to pay is kept apart: it counts only with a way to pay.
    """
    checkout = validate(_Checkout, body, "data.object")
    if checkout.customer is None:
        return None
    # Shapes without a payment status are of a time when a completed checkout was a paid one.
    is_paid = checkout.money in {None, _PAID} or step == "async_payment_succeeded"
    first = "checkout_completed_at" if is_paid else "free_checkout_at" if checkout.money == _FREE else ""
    return ObjectSnapshot(
        kind=ObjectKind.CUSTOMER,
        external_id=checkout.customer,
        customer_id=checkout.customer,
        organization_id=uuid_in((checkout.metadata or {}).get("organization_id")),
        firsts={first: at} if first and step not in _UNPAID_STEPS else {},
        fact=checkout.id,
        subscription_id=checkout.subscription or "",
    )


class _Card(ProviderModel):
    brand: MaybeText = None
    last4: MaybeText = None
    exp_month: MaybeNumber = None
    exp_year: MaybeNumber = None


class _PaymentMethod(ProviderModel):
    id: ExternalId
    customer: MaybeReference = None
    type: MaybeText = None
    card: MaybeObject = None


def parse_payment_method(
    body: dict[str, Any], *, is_detached: bool = False, customer_before: object = None
) -> ObjectSnapshot:
    """A payment method. A detached one names its customer only among what it was before."""
    method = validate(_PaymentMethod, body, "data.object")
    card = maybe(_Card, method.card) or _Card()
    is_off = is_detached or method.customer is None
    before = customer_before if isinstance(customer_before, str) else ""
    return ObjectSnapshot(
        kind=ObjectKind.PAYMENT_METHOD,
        external_id=method.id,
        customer_id=method.customer or short(before, 255),
        rank=int(is_off),
        fields={
            "status": PaymentMethodStatus.DETACHED if is_off else PaymentMethodStatus.ATTACHED,
            "kind": short(method.type, 40),
            "brand": short(card.brand, 40),
            "last4": short(card.last4, 4),
            "expires_month": _at_most(card.exp_month, _LAST_MONTH),
            "expires_year": _at_most(card.exp_year, _LAST_YEAR),
        },
    )


def _at_most(number: int | None, most: int) -> int | None:
    return number if number is not None and number <= most else None


class _Charge(ProviderModel):
    id: ExternalId
    customer: MaybeReference = None
    amount: Minor
    amount_refunded: Minor
    currency: MaybeText = None


def parse_refund(body: dict[str, Any]) -> ObjectSnapshot:
    """The refunds of a charge so far."""
    charge = validate(_Charge, body, "data.object")
    is_full = charge.amount_refunded >= charge.amount
    currency = iso_currency(charge.currency)
    return ObjectSnapshot(
        kind=ObjectKind.REFUND,
        external_id=charge.id,
        customer_id=charge.customer or "",
        # Refunds only grow, so the larger of one second is the later.
        rank=int(is_full),
        charge_id=charge.id,
        fields={
            "status": "full" if is_full else "partial",
            "charge_external_id": charge.id,
            "amount_minor": minor_from_stripe(charge.amount_refunded, currency) if currency else 0,
            "charged_minor": minor_from_stripe(charge.amount, currency) if currency else 0,
            "currency": currency,
        },
    )


class _EvidenceDetails(ProviderModel):
    due_by: MaybeSeconds = None


class _Dispute(ProviderModel):
    id: ExternalId
    charge: MaybeReference = None
    status: MaybeText = None
    reason: MaybeText = None
    amount: Minor
    currency: MaybeText = None
    evidence_details: MaybeObject = None


_DISPUTE_MOMENTS = {
    "closed": "closed_at",
    "funds_withdrawn": "funds_withdrawn_at",
    "funds_reinstated": "funds_reinstated_at",
}


def parse_dispute(body: dict[str, Any], *, step: str = "", rank: int = 0, at: datetime | None = None) -> ObjectSnapshot:
    """A dispute. It names the charge, not the customer."""
    dispute = validate(_Dispute, body, "data.object")
    currency = iso_currency(dispute.currency)
    details = maybe(_EvidenceDetails, dispute.evidence_details)
    return ObjectSnapshot(
        kind=ObjectKind.DISPUTE,
        external_id=dispute.id,
        customer_id="",
        rank=rank,
        charge_id=dispute.charge or "",
        firsts={_DISPUTE_MOMENTS[step]: at} if at is not None and step in _DISPUTE_MOMENTS else {},
        fields={
            "status": short(dispute.status, 40),
            "reason": short(dispute.reason, 80),
            "charge_external_id": dispute.charge or "",
            "amount_minor": minor_from_stripe(dispute.amount, currency) if currency else 0,
            "currency": currency,
            "evidence_due_at": details.due_by if details else None,
        },
    )
