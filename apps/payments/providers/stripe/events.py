"""Stripe's events (spec 04, Webhooks): the envelope, and which type speaks of which object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.providers.parsing import ExternalId, ProviderModel, Seconds, validate
from apps.payments.providers.stripe.customers import (
    parse_checkout,
    parse_customer,
    parse_dispute,
    parse_payment_method,
    parse_refund,
)
from apps.payments.providers.stripe.objects import parse_invoice, parse_subscription
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
# Of two news of one second with the same status, the one that usually comes later.
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


def _invoice(step: str) -> Callable[[_Envelope], ObjectSnapshot]:
    def parse(envelope: _Envelope) -> ObjectSnapshot:
        news = parse_invoice(envelope.data.object, step=_INVOICE.index(step))
        firsts = dict(news.firsts)
        if step == "payment_failed":
            firsts["failed_at"] = envelope.created
        if step == "marked_uncollectible":
            firsts["uncollectible_at"] = envelope.created
        return replace(news, firsts=firsts)

    return parse


def _subscription(step: str) -> Callable[[_Envelope], ObjectSnapshot]:
    def parse(envelope: _Envelope) -> ObjectSnapshot:
        return parse_subscription(
            envelope.data.object,
            step=_SUBSCRIPTION.index(step),
            deleted_at=envelope.created if step == "deleted" else None,
        )

    return parse


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


_TYPES: dict[str, Callable[[_Envelope], ObjectSnapshot | None]] = {
    "checkout.session.completed": _checkout,
    "customer.updated": _customer,
    "customer.deleted": _customer,
    "payment_method.attached": _payment_method,
    "payment_method.detached": _payment_method,
    "charge.refunded": lambda envelope: parse_refund(envelope.data.object),
    "charge.dispute.created": lambda envelope: parse_dispute(envelope.data.object),
    # `customer.created` is not in the list of spec 04; it tells whom a customer stands for, so it is heard too.
    "customer.created": _customer,
    **{f"customer.subscription.{step}": _subscription(step) for step in _SUBSCRIPTION},
    **{f"invoice.{step}": _invoice(step) for step in _INVOICE},
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
