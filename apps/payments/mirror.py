"""The mirror: one row a provider object, each taking only news later than what it has (spec 04, Webhooks).

News are ordered by the event's time, then rank, then the event's id: a total order, so that the row ends as the
latest news in whatever order, and however often, they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F

from apps.core.ids import OrganizationId
from apps.payments.contracts import ANSWER_RANK, EventNews, ObjectKind, ObjectNews
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
class Taken:
    """The row after the news. `is_newest`: they told it something. `is_tied`: others are of the same second."""

    row: MirroredObject
    is_newest: bool
    is_tied: bool


def mirror_take(news: EventNews, about: ObjectNews, organization_id: OrganizationId) -> Taken:
    """Take the news if they are later than what the row has. The caller has locked the organization's config."""
    row = _locked_row(news, about)
    order = (news.occurred_at, about.rank, news.event_id)
    known = (row.news_at, row.news_rank, row.news_id)
    is_same = row.news_id == news.event_id
    is_tied = bool(about.fields) and not is_same and row.news_id != "" and row.news_at == news.occurred_at
    if about.fields and is_later(order, known):
        row.news_at, row.news_rank, row.news_id = order
        _set(row, about)
    is_first = _keep_firsts(row, about)
    row.organization_id = organization_id
    row.customer_external_id = row.customer_external_id or about.customer_id
    row.save(force_update=True)
    return Taken(row, is_newest=is_first or row.news_id == news.event_id, is_tied=is_tied)


def is_later(order: tuple[datetime, int, str], known: tuple[datetime, int, str]) -> bool:
    """Whether news of this order come after what is known: a total order, so that it can't matter which came first."""
    return order > known


def mirror_ask(row: MirroredObject) -> int:
    """The ticket of a question about the row. Of two answers, that to the later question counts."""
    type(row).objects.filter(pk=row.pk).update(asked_ticket=F("asked_ticket") + 1)
    row.refresh_from_db(fields=["asked_ticket"])
    return row.asked_ticket


def mirror_answer(news: EventNews, answer: ObjectNews, organization_id: OrganizationId, ticket: int) -> Taken:
    """Take the provider's own answer, asked because news of one second can't be ordered by their times.

    It counts for that second. News of a later second, and the answer to a later question, are not undone by it.
    """
    row = _locked_row(news, answer)
    if row.news_at <= news.occurred_at and ticket > row.answered_ticket:
        row.news_at, row.news_rank, row.news_id = news.occurred_at, ANSWER_RANK, f"answer:{ticket:010}"
        row.answered_ticket = ticket
        _set(row, answer)
    _keep_firsts(row, answer)
    row.organization_id = organization_id
    row.save(force_update=True)
    return Taken(row, is_newest=row.answered_ticket == ticket, is_tied=False)


def _locked_row(news: EventNews, about: ObjectNews) -> MirroredObject:
    """The object's row, made when it is missing, locked until the transaction ends."""
    model = MODELS[about.kind]
    rows = model.objects.select_for_update(no_key=True, of=("self",))
    row: MirroredObject | None = rows.filter(provider=news.provider, external_id=about.external_id).first()
    if row is not None:
        return row
    values: dict[str, Any] = {**_first_values(about.kind), **about.fields}
    made = model(
        provider=news.provider,
        external_id=about.external_id,
        # As old as can be, so that whatever comes first is newer.
        news_at=_BEGINNING,
        news_rank=-1,
        **values,
    )
    # Whoever comes second inserts nothing, and locks the row of the first.
    model.objects.bulk_create([made], ignore_conflicts=True)
    stored: MirroredObject = rows.get(provider=news.provider, external_id=about.external_id)
    return stored


def _set(row: MirroredObject, about: ObjectNews) -> None:
    for name, value in about.fields.items():
        setattr(row, name, value)
    row.customer_external_id = about.customer_id or row.customer_external_id


def _keep_firsts(row: MirroredObject, about: ObjectNews) -> bool:
    """Keep the earliest moment ever told, from news of whatever age; whether one of them was earlier than before."""
    is_first = False
    for name, moment in about.firsts.items():
        known = getattr(row, name)
        if known is None or moment < known:
            setattr(row, name, moment)
            is_first = True
    return is_first


def _first_values(kind: ObjectKind) -> dict[str, Any]:
    """What a row needs where its first news is no snapshot: a checkout tells of its customer that there is one."""
    return {"status": CustomerStatus.ACTIVE} if kind is ObjectKind.CUSTOMER else {}
