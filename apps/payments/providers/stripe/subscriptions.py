"""Parses Stripe's subscriptions, in current and in older shapes (spec 04, Webhooks)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from apps.payments.contracts import ObjectKind, ObjectSnapshot, PricedItem
from apps.payments.enums import PROVIDER_SUBSCRIPTION_ORDER, ProviderSubscriptionStatus
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
    maybe,
    short,
    text_in,
    uuid_in,
    validate,
)

SUBSCRIPTION_STEPS = (
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
_MOST_ITEMS = 100


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


class _Pause(ProviderModel):
    behavior: MaybeText = None


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
    return ObjectSnapshot(
        kind=ObjectKind.SUBSCRIPTION,
        external_id=subscription.id,
        customer_id=subscription.customer or "",
        rank=PROVIDER_SUBSCRIPTION_ORDER.index(status) * _STEPS
        + (SUBSCRIPTION_STEPS.index(step) if step in SUBSCRIPTION_STEPS else 0),
        items=items,
        firsts={"paused_from": paused} if paused and subscription.pause_collection else {},
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
    pause = maybe(_Pause, subscription.pause_collection)
    return short(pause.behavior if pause else None, 40) or _UNKNOWN_PAUSE


def _pause_moments(subscription: _Subscription, at: datetime | None, before: Mapping[str, Any]) -> datetime | None:
    """The moment of this event, if collection was paused then: it is so now, or was until this event ended it."""
    return at if subscription.pause_collection or before.get("pause_collection") else None
