"""The mirror: one row a provider object, which takes only events later than what it has (spec 04, Webhooks).

Events are ordered by their time, then rank, then id: a total order, so that the row ends as the latest event shows it,
in whatever order, and however often, they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F

from apps.core.ids import OrganizationId
from apps.payments.contracts import ANSWER_RANK, ObjectKind, ObjectSnapshot, ProviderEvent
from apps.payments.enums import CustomerStatus
from apps.payments.models import (
    MirroredObject,
    ProviderCustomer,
    ProviderDispute,
    ProviderInvoice,
    ProviderPaymentMethod,
    ProviderRefund,
    ProviderSubscription,
)

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
class MirrorResult:
    """The row afterwards. `is_newest`: the event changed it. `is_tied`: another event has the same second."""

    row: MirroredObject
    is_newest: bool
    is_tied: bool


def store_snapshot(event: ProviderEvent, snapshot: ObjectSnapshot, organization_id: OrganizationId) -> MirrorResult:
    """Store the snapshot if its event is later than what the row has. The caller has locked the payment config."""
    row = _lock_row(event, snapshot)
    order = (event.occurred_at, snapshot.rank, event.event_id)
    known = (row.news_at, row.news_rank, row.news_id)
    is_same = row.news_id == event.event_id
    is_tied = bool(snapshot.fields) and not is_same and row.news_id != "" and row.news_at == event.occurred_at
    if snapshot.fields and is_later(order, known):
        row.news_at, row.news_rank, row.news_id = order
        _copy_fields(row, snapshot)
    is_first = _store_firsts(row, snapshot)
    row.organization_id = organization_id
    row.customer_external_id = row.customer_external_id or snapshot.customer_id
    row.save(force_update=True)
    return MirrorResult(row, is_newest=is_first or row.news_id == event.event_id, is_tied=is_tied)


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
    _store_firsts(row, answer)
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
    row.customer_external_id = snapshot.customer_id or row.customer_external_id


def _store_firsts(row: MirroredObject, snapshot: ObjectSnapshot) -> bool:
    """Store the earliest moment ever told, by an event of whatever age; whether one was earlier than before."""
    is_first = False
    for name, moment in snapshot.firsts.items():
        known = getattr(row, name)
        if known is None or moment < known:
            setattr(row, name, moment)
            is_first = True
    return is_first


def _first_values(kind: ObjectKind) -> dict[str, Any]:
    """What a row needs whose first event does not hold the object: a checkout names its customer and no more."""
    return {"status": CustomerStatus.ACTIVE} if kind is ObjectKind.CUSTOMER else {}
