"""Parses Stripe's events and subscriptions, in current and in older shapes (spec 04, Webhooks)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from apps.payments.contracts import ObjectKind, ObjectSnapshot, PricedItem, ProviderEvent
from apps.payments.enums import PROVIDER_SUBSCRIPTION_ORDER, ProviderSubscriptionStatus, WhyKept
from apps.payments.pricing import pricing_values
from apps.payments.providers.parsing import (
    ExternalId,
    MaybeFlag,
    MaybeList,
    MaybeMetadata,
    MaybeObject,
    MaybeReference,
    MaybeSeconds,
    MaybeText,
    Metadata,
    ProviderModel,
    Seconds,
    maybe,
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
from apps.payments.providers.stripe.invoices import INVOICE_STEPS, parse_invoice
from apps.payments.providers.stripe.pricing import read_pricing
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


_MOST_ITEMS = 100
_CHECKOUT = ("completed", "async_payment_succeeded", "async_payment_failed", "expired")
_DISPUTE = ("created", "updated", "funds_withdrawn", "funds_reinstated", "closed")


_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def parse_event(body: dict[str, Any], *, is_live: bool = False) -> ProviderEvent:
    """The event; its object is read only when we handle the type. Raises `UnreadableError`.

    What another merchant's account tells us (Connect), and test mode where we are live, is none of our business.
    """
    parser, ignore = _TYPES.get(body["type"]), WhyKept.OTHER_ACCOUNT if body.get("account") else None
    if is_live and body.get("livemode") is False:
        ignore = ignore or WhyKept.TEST_MODE
    if parser is None or ignore is not None:
        at = read_time(body) or _NO_TIME
        return ProviderEvent(Provider.STRIPE, body["id"], body["type"], at, None, ignore if parser else None)
    envelope = validate(_Envelope, body)
    return ProviderEvent(Provider.STRIPE, envelope.id, envelope.type, envelope.created, parser(envelope))


def read_time(body: dict[str, Any]) -> datetime | None:
    """When the event happened; None where it does not say so in a way that we know."""
    read = maybe(_Created, body)
    return read.created if read else None


def parse_object(kind: ObjectKind, answer: dict[str, Any]) -> ObjectSnapshot:
    """An object as Stripe answers it to our own question."""
    return _OBJECTS[kind](answer)


_INVOICE_MOMENTS = {"payment_failed": "failed_at", "marked_uncollectible": "uncollectible_at", "deleted": "deleted_at"}


def _invoice(envelope: _Envelope) -> ObjectSnapshot:
    step = envelope.step
    snapshot = parse_invoice(envelope.data.object, step=INVOICE_STEPS.index(step))
    moment = _INVOICE_MOMENTS.get(step)
    firsts = {**snapshot.firsts, **({moment: envelope.created} if moment else {})}
    fields = {**snapshot.fields, "issued_at": snapshot.fields["issued_at"] or envelope.created}
    return replace(snapshot, firsts=firsts, fields=fields)


def _subscription(envelope: _Envelope) -> ObjectSnapshot:
    before = envelope.data.previous_attributes or {}
    return parse_subscription(envelope.data.object, step=envelope.step, at=envelope.created, before=before)


def _customer(envelope: _Envelope) -> ObjectSnapshot:
    return parse_customer(envelope.data.object, is_deleted=envelope.type == "customer.deleted", at=envelope.created)


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


class _Created(ProviderModel):
    created: Seconds


_SUBSCRIPTION = (
    "created",
    "updated",
    "pending_update_applied",
    "pending_update_expired",
    "deleted",
    "paused",
    "resumed",
    "trial_will_end",
)
# Our own word for the plan, for what prices don't say; before it there was `plan`, which merchants use for themselves.
PLAN_KEY, _FORMER_PLAN_KEY = "countinghouse_plan", "plan"
_STEPS = 16
_STATUSES = {
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
_UNKNOWN_PAUSE = "paused"


class _Price(ProviderModel):
    id: ExternalId
    lookup_key: MaybeText = None
    product: MaybeReference = None


class _Item(ProviderModel):
    price: _Price
    current_period_start: MaybeSeconds = None
    current_period_end: MaybeSeconds = None


class _Items(ProviderModel):
    data: MaybeList = None


class _Subscription(ProviderModel):
    id: ExternalId
    customer: MaybeReference = None
    status: Literal[
        "incomplete", "incomplete_expired", "trialing", "active", "past_due", "unpaid", "paused", "canceled"
    ]
    cancel_at_period_end: MaybeFlag = None
    cancel_at: MaybeSeconds = None
    pause_collection: MaybeObject = None
    start_date: MaybeSeconds = None
    created: MaybeSeconds = None
    ended_at: MaybeSeconds = None
    trial_end: MaybeSeconds = None
    items: MaybeObject = None
    # Of the shapes before 2025-03-31.
    current_period_start: MaybeSeconds = None
    current_period_end: MaybeSeconds = None
    metadata: MaybeMetadata = None
    default_payment_method: MaybeReference = None


def parse_subscription(
    body: dict[str, Any], *, step: str = "", at: datetime | None = None, before: Mapping[str, Any] | None = None
) -> ObjectSnapshot:
    """A subscription; of an event also what happened, when, and the values that it changed."""
    subscription = validate(_Subscription, body, "data.object")
    is_over = step == "deleted" or subscription.status == "canceled"
    status = ProviderSubscriptionStatus.ENDED if is_over else _STATUSES[subscription.status]
    metadata = subscription.metadata or {}
    items = _items_of(subscription)
    is_cancelled = bool(subscription.cancel_at_period_end) or subscription.cancel_at is not None
    paused = _pause_moments(subscription, at, before or {})
    firsts = {"paused_from": paused} if paused and subscription.pause_collection else {}
    if subscription.default_payment_method and at is not None:
        firsts["method_named_at"] = at
    return ObjectSnapshot(
        kind=ObjectKind.SUBSCRIPTION,
        external_id=subscription.id,
        customer_id=subscription.customer or "",
        rank=PROVIDER_SUBSCRIPTION_ORDER.index(status) * _STEPS
        + (_SUBSCRIPTION.index(step) if step in _SUBSCRIPTION else 0),
        items=items,
        firsts=firsts,
        lasts={"paused_until": paused} if paused else {},
        fields={
            "status": status,
            "workspace_id": uuid_in(metadata.get("workspace_id")),
            "plan_hint": _plan_hint(metadata),
            "started_at": subscription.start_date or subscription.created or at,
            "ended_at": (subscription.ended_at or at) if is_over else None,
            "trial_ends_at": subscription.trial_end,
            "period_start": subscription.current_period_start,
            "period_end": subscription.current_period_end,
            "cancel_at_period_end": is_cancelled,
            "cancel_at": subscription.cancel_at,
            "pause_behavior": _pause_behavior(subscription),
            "pricing": pricing_values(read_pricing(body, most_items=_MOST_ITEMS)),
        },
    )


def _items_of(subscription: _Subscription) -> tuple[PricedItem, ...]:
    """The items that have a price, each with its own period, or the subscription's where old shapes have it."""
    listed = maybe(_Items, subscription.items) if subscription.items else None
    read = [maybe(_Item, value) for value in ((listed.data if listed else None) or ())[:_MOST_ITEMS]]
    return tuple(
        PricedItem(
            price_id=item.price.id,
            lookup_key=short(item.price.lookup_key, 255),
            product_id=item.price.product or "",
            period_start=item.current_period_start or subscription.current_period_start,
            period_end=item.current_period_end or subscription.current_period_end,
        )
        for item in read
        if item is not None
    )


def _plan_hint(metadata: Metadata) -> str:
    """What we wrote down about the plan. The former key counts only beside the marks that our checkout leaves."""
    named = text_in(metadata, PLAN_KEY)
    is_ours = uuid_in(metadata.get("organization_id")) and uuid_in(metadata.get("workspace_id"))
    return named or (text_in(metadata, _FORMER_PLAN_KEY) if is_ours else "")


def _pause_behavior(subscription: _Subscription) -> str:
    if not subscription.pause_collection:
        return ""
    return text_in(subscription.pause_collection, "behavior", 40) or _UNKNOWN_PAUSE


def _pause_moments(subscription: _Subscription, at: datetime | None, before: Mapping[str, Any]) -> datetime | None:
    """The moment of this event, if collection was paused then: it is so now, or was until this event ended it."""
    return at if subscription.pause_collection or before.get("pause_collection") else None


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
    **{f"customer.subscription.{step}": _subscription for step in _SUBSCRIPTION},
    **{f"invoice.{step}": _invoice for step in INVOICE_STEPS},
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
