"""Billing records to read: filters, totals per currency, and the stream of an export (spec 06, BillingRecord)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet, Sum

from apps.connectors.ids import ConnectorId
from apps.connectors.models import BillingRecord
from apps.core.ids import WorkspaceId

_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records of a workspace are meant. Empty texts mean any; voided ones only where they are asked for."""

    workspace_id: WorkspaceId
    connector_id: ConnectorId | None = None
    month: str = ""
    kind: str = ""
    currency: str = ""
    with_voided: bool = False


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """The sum of one currency's amounts, in its minor units; and of how many records. Never of two currencies."""

    currency: str
    amount_minor: int
    records: int


def matching_records(wanted: RecordFilter) -> QuerySet[BillingRecord]:
    """The records, newest first."""
    rows = BillingRecord.objects.filter(connector__workspace=wanted.workspace_id)
    for name in ("connector_id", "month", "kind", "currency"):
        value = getattr(wanted, name)
        if value:
            rows = rows.filter(**{name: value})
    if not wanted.with_voided:
        rows = rows.filter(voided_at=None)
    return rows.order_by("-occurred_at", "-pk")


def currency_totals(wanted: RecordFilter) -> list[CurrencyTotal]:
    """What the amounts add up to, each currency by itself; voided records count for nothing."""
    counted = matching_records(wanted).filter(voided_at=None, amount_minor__isnull=False).order_by()
    rows = counted.values("currency").annotate(total=Sum("amount_minor"), records=Count("pk")).order_by("currency")
    return [CurrencyTotal(row["currency"], int(row["total"]), row["records"]) for row in rows]


def stream_records(wanted: RecordFilter) -> Iterator[BillingRecord]:
    """Every matching record, a part at a time: constant memory, however many there are."""
    last: tuple[datetime, int] | None = None
    rows = matching_records(wanted).select_related("connector").defer("raw")
    while True:
        following = rows
        if last is not None:
            following = rows.filter(occurred_at__lte=last[0]).exclude(occurred_at=last[0], pk__gte=last[1])
        part = list(following[:_CHUNK])
        yield from part
        if len(part) < _CHUNK:
            return
        last = part[-1].occurred_at, part[-1].pk
