"""The mirror: one row a provider object, which takes only events later than what it has (spec 04, Webhooks).

Events are ordered by their time, then rank, then id: a total order, so that the row ends as the latest event shows it,
in whatever order, and however often, they came. A subscription's plan is found anew each time that it is processed, by
its price, else by what we wrote down: a plan that is named later is found by processing the event again.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F

from apps.core import clock
from apps.core.ids import OrganizationId
from apps.core.moments import PROVIDER_YEARS, read_iso_moment
from apps.payments.contracts import ANSWER_RANK, ObjectKind, ObjectSnapshot, PricedItem, ProviderEvent
from apps.payments.enums import CustomerStatus, PlanReferenceKind
from apps.payments.models import (
    MirroredObject,
    PlanReference,
    ProviderCustomer,
    ProviderDispute,
    ProviderInvoice,
    ProviderPaymentMethod,
    ProviderRefund,
    ProviderSubscription,
)
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import Plan

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

MODELS: dict[ObjectKind, type[MirroredObject]] = {
    ObjectKind.CUSTOMER: ProviderCustomer,
    ObjectKind.SUBSCRIPTION: ProviderSubscription,
    ObjectKind.INVOICE: ProviderInvoice,
    ObjectKind.PAYMENT_METHOD: ProviderPaymentMethod,
    ObjectKind.DISPUTE: ProviderDispute,
    ObjectKind.REFUND: ProviderRefund,
}


@dataclass(frozen=True, slots=True)
class SubscriptionBefore:
    """What tracking compares: whether and when the subscription was to end, and its plan."""

    is_to_end: bool
    plan_key: str


@dataclass(frozen=True, slots=True)
class MirrorResult:
    """The row afterwards. `is_newest`: the event changed it. `is_tied`: another event has the same second."""

    row: MirroredObject
    is_newest: bool
    is_tied: bool
    # Of a subscription that a later event changed: as it was.
    before: SubscriptionBefore | None = None


def store_snapshot(event: ProviderEvent, snapshot: ObjectSnapshot, organization_id: OrganizationId) -> MirrorResult:
    """Store the snapshot if its event is later than what the row has. The caller has locked the payment config."""
    row = _lock_row(event, snapshot)
    order = (event.occurred_at, snapshot.rank, event.event_id)
    known = (row.news_at, row.news_rank, row.news_id)
    is_same = row.news_id == event.event_id
    is_tied = bool(snapshot.fields) and not is_same and row.news_id != "" and row.news_at == event.occurred_at
    before = None
    if snapshot.fields and is_later(order, known):
        if isinstance(row, ProviderSubscription) and row.news_id:
            before = SubscriptionBefore(row.cancel_at_period_end, row.plan_key)
        row.news_at, row.news_rank, row.news_id = order
        _copy_fields(row, snapshot)
    is_first = _store_firsts_and_lasts(row, snapshot)
    if isinstance(row, ProviderSubscription):
        settle_plan(row, snapshot.items)
    row.organization_id = organization_id
    row.customer_external_id = row.customer_external_id or snapshot.customer_id
    row.save(force_update=True)
    is_newest = is_first or row.news_id == event.event_id
    return MirrorResult(row, is_newest=is_newest, is_tied=is_tied, before=before)


def set_paused_aside(organization_id: OrganizationId) -> None:
    """Mark as decided what a pause of collection made uncollectible: a pause never locks (spec 04)."""
    paused = ProviderSubscription.objects.filter(organization=organization_id, paused_from__isnull=False)
    for row in paused:
        given_up = ProviderInvoice.objects.filter(
            provider=row.provider,
            subscription_external_id=row.external_id,
            uncollectible_at__gte=row.paused_from,
            lock_settled_at__isnull=True,
        )
        if not row.pause_behavior:
            given_up = given_up.filter(uncollectible_at__lte=row.paused_until)
        given_up.update(lock_settled_at=clock.now())


def is_later(order: tuple[datetime, int, str], known: tuple[datetime, int, str]) -> bool:
    """Whether the event comes after what is known: a total order, so that it can't matter which came first."""
    return order > known


def take_ticket(row: MirroredObject) -> int:
    """A number for a question to the provider about the row. Of two answers, that to the later question counts."""
    type(row).objects.filter(pk=row.pk).update(asked_ticket=F("asked_ticket") + 1)
    row.refresh_from_db(fields=["asked_ticket"])
    return row.asked_ticket


def store_answer(
    event: ProviderEvent, answer: ObjectSnapshot, organization_id: OrganizationId, ticket: int
) -> MirrorResult:
    """Store the provider's own answer, fetched because two events of one second can't be ordered by their times.

    It counts for that second. It undoes neither an event of a later second nor the answer to a later question.
    """
    row = _lock_row(event, answer)
    if row.news_at <= event.occurred_at and ticket > row.answered_ticket:
        row.news_at, row.news_rank, row.news_id = event.occurred_at, ANSWER_RANK, f"answer:{ticket:010}"
        row.answered_ticket = ticket
        _copy_fields(row, answer)
    _store_firsts_and_lasts(row, answer)
    if isinstance(row, ProviderSubscription):
        settle_plan(row, answer.items)
    row.organization_id = organization_id
    row.save(force_update=True)
    return MirrorResult(row, is_newest=row.answered_ticket == ticket, is_tied=False)


def _lock_row(event: ProviderEvent, snapshot: ObjectSnapshot) -> MirroredObject:
    """The object's row, made when it is missing, locked until the transaction ends."""
    model = MODELS[snapshot.kind]
    rows = model.objects.select_for_update(no_key=True, of=("self",))
    row: MirroredObject | None = rows.filter(provider=event.provider, external_id=snapshot.external_id).first()
    if row is not None:
        return row
    values: dict[str, Any] = {**_first_values(snapshot.kind), **snapshot.fields}
    made = model(
        provider=event.provider,
        external_id=snapshot.external_id,
        # As old as can be, so that whatever comes first is newer.
        news_at=_BEGINNING,
        news_rank=-1,
        **values,
    )
    # Whoever comes second inserts nothing, and locks the row of the first.
    model.objects.bulk_create([made], ignore_conflicts=True)
    stored: MirroredObject = rows.get(provider=event.provider, external_id=snapshot.external_id)
    return stored


def _copy_fields(row: MirroredObject, snapshot: ObjectSnapshot) -> None:
    for name, value in snapshot.fields.items():
        setattr(row, name, value)
    if isinstance(row, ProviderSubscription) and snapshot.items:
        row.items = [values_of(item) for item in snapshot.items]
    row.customer_external_id = snapshot.customer_id or row.customer_external_id


def _store_firsts_and_lasts(row: MirroredObject, snapshot: ObjectSnapshot) -> bool:
    """Store the earliest and latest moments ever told, by an event of whatever age; whether one was news."""
    is_news = False
    for moments, is_news_to in ((snapshot.firsts, operator.lt), (snapshot.lasts, operator.gt)):
        for name, moment in moments.items():
            known = getattr(row, name)
            if known is None or is_news_to(moment, known):
                setattr(row, name, moment)
                is_news = True
    return is_news


def _first_values(kind: ObjectKind) -> dict[str, Any]:
    """What a row needs whose first event does not hold the object: a checkout names its customer and no more."""
    return {"status": CustomerStatus.ACTIVE} if kind is ObjectKind.CUSTOMER else {}


References = Mapping[tuple[PlanReferenceKind, str], str]


@dataclass(frozen=True, slots=True)
class PlanMatch:
    """The slug of the plan, and the item whose price it is."""

    slug: str
    item: PricedItem


def match_item(items: Sequence[PricedItem], references: References) -> PlanMatch | None:
    """The item whose price is a plan of ours, wherever it stands among the others; None where none is.

    A price that was recognised before counts before a lookup key, which may move to another price, and that before a
    product, which may hold prices of several plans.
    """
    for kind in PlanReferenceKind:
        for item in items:
            slug = references.get((kind, name_of(item, kind)))
            if slug is not None:
                return PlanMatch(slug, item)
    return None


def recognised_prices(items: Sequence[PricedItem], references: References) -> dict[str, str]:
    """The prices that are not known by their ids yet, and the slugs of the plans that they are."""
    found = {}
    for item in items:
        match = match_item([item], references)
        if match is not None and item.price_id and (PlanReferenceKind.PRICE, item.price_id) not in references:
            found[item.price_id] = match.slug
    return found


def name_of(item: PricedItem, kind: PlanReferenceKind) -> str:
    """How the item would be referred to in this way; empty where it has no such name."""
    return {
        PlanReferenceKind.PRICE: item.price_id,
        PlanReferenceKind.LOOKUP_KEY: item.lookup_key,
        PlanReferenceKind.PRODUCT: item.product_id,
    }[kind]


def settle_plan(row: ProviderSubscription, told: Sequence[PricedItem]) -> None:
    """Set plan and period of the row, which the caller saves, and remember the prices that were recognised.

    `told` are the items of the event, which may be older than what the row has: a price that it names is ours for good.
    """
    provider = Provider(row.provider)
    items = [item_of(values) for values in row.items or ()]
    references = _load_references(provider, [*told, *items])
    remembered = recognised_prices([*told, *items], references)
    _remember(provider, remembered)
    match = match_item(items, {**_as_references(remembered), **references})
    first = items[0] if items else None
    item = match.item if match else first
    row.plan_key = match.slug if match else row.plan_hint or (first.lookup_key or first.price_id if first else "")
    if item is not None and item.period_start and item.period_end:
        row.period_start, row.period_end = item.period_start, item.period_end


def item_of(values: Mapping[str, Any]) -> PricedItem:
    """The item as the row keeps it."""
    return PricedItem(
        values["price"], values["lookup_key"], values["product"], _moment(values["start"]), _moment(values["end"])
    )


def values_of(item: PricedItem) -> dict[str, str | None]:
    """The item as JSON holds it."""
    return {
        "price": item.price_id,
        "lookup_key": item.lookup_key,
        "product": item.product_id,
        "start": item.period_start.isoformat() if item.period_start else None,
        "end": item.period_end.isoformat() if item.period_end else None,
    }


def _moment(text: str | None) -> datetime | None:
    return read_iso_moment(text, years=PROVIDER_YEARS) if text else None


def _load_references(provider: Provider, items: Sequence[PricedItem]) -> References:
    """The names of plans among those of the items. A plan's slug is its lookup key unless a row says otherwise."""
    names = {name_of(item, kind) for item in items for kind in PlanReferenceKind} - {""}
    if not names:
        return {}
    slugs = Plan.objects.filter(slug__in=names).values_list("slug", flat=True)
    rows = PlanReference.objects.filter(provider=provider, value__in=names)
    told = {
        (PlanReferenceKind(kind), value): slug for kind, value, slug in rows.values_list("kind", "value", "plan__slug")
    }
    return {**{(PlanReferenceKind.LOOKUP_KEY, slug): slug for slug in slugs}, **told}


def _as_references(prices: Mapping[str, str]) -> References:
    return {(PlanReferenceKind.PRICE, price): slug for price, slug in prices.items()}


def _remember(provider: Provider, prices: Mapping[str, str]) -> None:
    if not prices:
        return
    plans = dict(Plan.objects.filter(slug__in=set(prices.values())).values_list("slug", "pk"))
    PlanReference.objects.bulk_create(
        [
            PlanReference(
                plan_id=plans[slug], provider=provider, kind=PlanReferenceKind.PRICE, value=price, is_remembered=True
            )
            for price, slug in prices.items()
        ],
        ignore_conflicts=True,
    )
