"""Stripe's events (spec 04, Webhooks): the envelope, and which type speaks of which object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from apps.payments.contracts import EventNews, ObjectKind, ObjectNews
from apps.payments.providers.parsing import ExternalId, Read, Seconds, read
from apps.payments.providers.stripe.customers import (
    read_checkout,
    read_customer,
    read_dispute,
    read_payment_method,
    read_refund,
)
from apps.payments.providers.stripe.objects import read_invoice, read_subscription
from apps.subscriptions.enums import Provider


class _Data(Read):
    object: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None


class _Envelope(Read):
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


def read_stripe_event(body: dict[str, Any]) -> EventNews:
    """The event; its object is read only when we handle the type. Raises `MalformedRequestError`."""
    envelope = read(_Envelope, body)
    reader = _TYPES.get(envelope.type)
    about = reader(envelope) if reader else None
    return EventNews(Provider.STRIPE, envelope.id, envelope.type, envelope.created, about)


def read_stripe_object(kind: ObjectKind, answer: dict[str, Any]) -> ObjectNews:
    """An object as Stripe answers it to our own question."""
    return _OBJECTS[kind](answer)


def _invoice(step: str) -> Callable[[_Envelope], ObjectNews]:
    def reader(envelope: _Envelope) -> ObjectNews:
        news = read_invoice(envelope.data.object, step=_INVOICE.index(step))
        firsts = dict(news.firsts)
        if step == "payment_failed":
            firsts["failed_at"] = envelope.created
        if step == "marked_uncollectible":
            firsts["uncollectible_at"] = envelope.created
        return replace(news, firsts=firsts)

    return reader


def _subscription(step: str) -> Callable[[_Envelope], ObjectNews]:
    def reader(envelope: _Envelope) -> ObjectNews:
        return read_subscription(
            envelope.data.object,
            step=_SUBSCRIPTION.index(step),
            deleted_at=envelope.created if step == "deleted" else None,
        )

    return reader


def _customer(envelope: _Envelope) -> ObjectNews:
    return read_customer(envelope.data.object, is_deleted=envelope.type == "customer.deleted")


def _payment_method(envelope: _Envelope) -> ObjectNews:
    return read_payment_method(
        envelope.data.object,
        is_detached=envelope.type == "payment_method.detached",
        customer_before=(envelope.data.previous_attributes or {}).get("customer"),
    )


def _checkout(envelope: _Envelope) -> ObjectNews | None:
    return read_checkout(envelope.data.object, completed_at=envelope.created)


_TYPES: dict[str, Callable[[_Envelope], ObjectNews | None]] = {
    "checkout.session.completed": _checkout,
    "customer.updated": _customer,
    "customer.deleted": _customer,
    "payment_method.attached": _payment_method,
    "payment_method.detached": _payment_method,
    "charge.refunded": lambda envelope: read_refund(envelope.data.object),
    "charge.dispute.created": lambda envelope: read_dispute(envelope.data.object),
    # `customer.created` is not in the list of spec 04; it tells whom a customer stands for, so it is heard too.
    "customer.created": _customer,
    **{f"customer.subscription.{step}": _subscription(step) for step in _SUBSCRIPTION},
    **{f"invoice.{step}": _invoice(step) for step in _INVOICE},
}
STRIPE_TYPES = frozenset(_TYPES)

_OBJECTS: dict[ObjectKind, Callable[[dict[str, Any]], ObjectNews]] = {
    ObjectKind.CUSTOMER: read_customer,
    ObjectKind.SUBSCRIPTION: read_subscription,
    ObjectKind.INVOICE: read_invoice,
    ObjectKind.PAYMENT_METHOD: read_payment_method,
    ObjectKind.DISPUTE: read_dispute,
    ObjectKind.REFUND: read_refund,
}
