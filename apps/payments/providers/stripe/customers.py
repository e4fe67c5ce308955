"""Parses Stripe's customers and what belongs to them: checkouts, payment methods, refunds, disputes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from apps.payments.contracts import ObjectKind, ObjectSnapshot
from apps.payments.enums import CustomerStatus, PaymentMethodStatus
from apps.payments.providers.parsing import (
    Currency,
    ExternalId,
    Metadata,
    Minor,
    ProviderModel,
    Reference,
    Seconds,
    short,
    uuid_in,
    validate,
)

_NOTHING: Metadata = {}


class _InvoiceSettings(ProviderModel):
    default_payment_method: Reference | None = None


class _Customer(ProviderModel):
    id: ExternalId
    email: str | None = None
    metadata: Metadata | None = None
    invoice_settings: _InvoiceSettings | None = None
    deleted: bool = False


def parse_customer(body: dict[str, Any], *, is_deleted: bool = False) -> ObjectSnapshot:
    """A customer, with the organization that we wrote into its metadata."""
    customer = validate(_Customer, body, "data.object")
    is_gone = is_deleted or customer.deleted
    settings = customer.invoice_settings
    return ObjectSnapshot(
        kind=ObjectKind.CUSTOMER,
        external_id=customer.id,
        customer_id=customer.id,
        rank=int(is_gone),
        organization_id=uuid_in((customer.metadata or _NOTHING).get("organization_id")),
        fields={
            "status": CustomerStatus.DELETED if is_gone else CustomerStatus.ACTIVE,
            "email": short(customer.email, 320),
            "default_payment_method_id": (settings.default_payment_method if settings else None) or "",
        },
    )


class _Checkout(ProviderModel):
    id: ExternalId
    customer: Reference | None = None
    client_reference_id: str | None = None


def parse_checkout(body: dict[str, Any], *, completed_at: datetime) -> ObjectSnapshot | None:
    """A completed checkout, as a snapshot of its customer; None where it has none, and so buys nothing lasting."""
    checkout = validate(_Checkout, body, "data.object")
    if checkout.customer is None:
        return None
    return ObjectSnapshot(
        kind=ObjectKind.CUSTOMER,
        external_id=checkout.customer,
        customer_id=checkout.customer,
        organization_id=uuid_in(checkout.client_reference_id),
        firsts={"checkout_completed_at": completed_at},
    )


class _Card(ProviderModel):
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = Field(default=None, ge=0, le=12)
    exp_year: int | None = Field(default=None, ge=0, le=9999)


class _PaymentMethod(ProviderModel):
    id: ExternalId
    customer: Reference | None = None
    type: str
    card: _Card | None = None


def parse_payment_method(
    body: dict[str, Any], *, is_detached: bool = False, customer_before: object = None
) -> ObjectSnapshot:
    """A payment method. A detached one names its customer only among what it was before."""
    method = validate(_PaymentMethod, body, "data.object")
    card = method.card or _Card()
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
            "expires_month": card.exp_month,
            "expires_year": card.exp_year,
        },
    )


class _Charge(ProviderModel):
    id: ExternalId
    customer: Reference | None = None
    amount: Minor
    amount_refunded: Minor
    currency: Currency


def parse_refund(body: dict[str, Any]) -> ObjectSnapshot:
    """The refunds of a charge so far."""
    charge = validate(_Charge, body, "data.object")
    is_full = charge.amount_refunded >= charge.amount
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
            "amount_minor": charge.amount_refunded,
            "charged_minor": charge.amount,
            "currency": charge.currency.upper(),
        },
    )


class _EvidenceDetails(ProviderModel):
    due_by: Seconds | None = None


class _Dispute(ProviderModel):
    id: ExternalId
    charge: Reference
    status: str
    reason: str | None = None
    amount: Minor
    currency: Currency
    evidence_details: _EvidenceDetails = Field(default_factory=_EvidenceDetails)


def parse_dispute(body: dict[str, Any]) -> ObjectSnapshot:
    """A dispute. It names the charge, not the customer."""
    dispute = validate(_Dispute, body, "data.object")
    return ObjectSnapshot(
        kind=ObjectKind.DISPUTE,
        external_id=dispute.id,
        customer_id="",
        charge_id=dispute.charge,
        fields={
            "status": short(dispute.status, 40),
            "reason": short(dispute.reason, 80),
            "charge_external_id": dispute.charge,
            "amount_minor": dispute.amount,
            "currency": dispute.currency.upper(),
            "evidence_due_at": dispute.evidence_details.due_by,
        },
    )
