"""Billing records to read: pages of a month, totals per currency, and the stream of an export (spec 06, BillingRecord).

Records are read a month at a time, in the order of their index, and never counted: how many there are, and what they
add up to, stands in `MonthTotal`. So a page costs the same however many records there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import DecimalField, Q, QuerySet, Sum
from django.db.models.functions import Cast

from apps.connectors.ids import ConnectorId
from apps.connectors.models import BillingRecord, Connector, MonthTotal
from apps.core.ids import WorkspaceId

_CHUNK = 2_000
_MOST_MONTHS = 240
# The newest of each connector, along its index, and of these the newest. The statement names them: of a connector that
# comes from a list PostgreSQL expects few records, and sorts the whole month.
_NEWEST = """
    (SELECT id, occurred_at FROM connectors_billingrecord
    WHERE connector_id = <connector> AND month = %(month)s <conditions>
    ORDER BY occurred_at DESC, id DESC LIMIT %(size)s)
"""
_PAGE = """
    SELECT found.id FROM (<newest>) AS found
    ORDER BY found.occurred_at DESC, found.id DESC LIMIT %(size)s
"""
_CONDITIONS: Mapping[str, str] = {
    "kind": "AND kind = %(kind)s",
    "currency": "AND currency = %(currency)s",
    "live": "AND voided_at IS NULL",
    "before": "AND (occurred_at, id) < (%(before_at)s, %(before_id)s)",
}
_AMOUNT = Sum(Cast("amount_minor", DecimalField(max_digits=60, decimal_places=0)))
Place = tuple[datetime, int]


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


def read_records(
    wanted: RecordFilter, *, size: int, before: Place | None = None, database: str = DEFAULT_DB_ALIAS
) -> list[BillingRecord]:
    """At most so many records of the filter's month, newest first; `before` is the place of the last one known."""
    conditions = {
        "kind": bool(wanted.kind),
        "currency": bool(wanted.currency),
        "live": not wanted.with_voided,
        "before": before is not None,
    }
    chosen = _NEWEST.replace("<conditions>", " ".join(text for name, text in _CONDITIONS.items() if conditions[name]))
    connectors = {f"connector_{place}": key for place, key in enumerate(_connector_ids(wanted))}
    if not connectors:
        return []
    values: dict[str, Any] = {
        **connectors,
        "month": wanted.month,
        "size": size,
        "kind": wanted.kind,
        "currency": wanted.currency,
        "before_at": before and before[0],
        "before_id": before and before[1],
    }
    newest = " UNION ALL ".join(chosen.replace("<connector>", f"%({name})s") for name in connectors)
    with connections[database].cursor() as cursor:
        cursor.execute(_PAGE.replace("<newest>", newest), values)
        found = [row[0] for row in cursor.fetchall()]
    rows = BillingRecord.objects.using(database).filter(pk__in=found).select_related("connector").defer("raw")
    return list(rows.order_by("-occurred_at", "-pk"))


def stream_records(wanted: RecordFilter, database: str = DEFAULT_DB_ALIAS) -> Iterator[BillingRecord]:
    """Every matching record, the newest month first, a part at a time: constant memory, however many there are."""
    for month in [wanted.month] if wanted.month else months_with_records(wanted, database):
        before: Place | None = None
        while True:
            part = read_records(replace(wanted, month=month), size=_CHUNK, before=before, database=database)
            yield from part
            if len(part) < _CHUNK:
                break
            before = part[-1].occurred_at, part[-1].pk


def count_records(wanted: RecordFilter, database: str = DEFAULT_DB_ALIAS) -> int:
    """How many records match."""
    sums = _totals(wanted, database).aggregate(records=Sum("records"), voided=Sum("voided"))
    return int(sums["records"] or 0) + (int(sums["voided"] or 0) if wanted.with_voided else 0)


def currency_totals(wanted: RecordFilter, database: str = DEFAULT_DB_ALIAS) -> list[CurrencyTotal]:
    """What the amounts add up to, each currency by itself; voided records count for nothing."""
    counted = _totals(wanted, database).exclude(currency="").filter(records__gt=0)
    rows = counted.values("currency").annotate(total=_AMOUNT, count=Sum("records")).order_by("currency")
    return [CurrencyTotal(row["currency"], int(row["total"]), int(row["count"])) for row in rows]


def totals_by_month(connector_id: ConnectorId, months: Sequence[str]) -> Mapping[str, list[CurrencyTotal]]:
    """The totals of each of the months, which may be none."""
    rows = MonthTotal.objects.filter(connector=connector_id, month__in=months, records__gt=0).exclude(currency="")
    sums = rows.values("month", "currency").annotate(total=_AMOUNT, count=Sum("records"))
    found = defaultdict[str, list[CurrencyTotal]](list)
    for row in sums.order_by("month", "currency"):
        found[row["month"]].append(CurrencyTotal(row["currency"], int(row["total"]), int(row["count"])))
    return found


def months_with_records(wanted: RecordFilter, database: str = DEFAULT_DB_ALIAS) -> list[str]:
    """The months that have records, newest first, whatever month the filter names."""
    rows = _totals(replace(wanted, month=""), database).filter(Q(records__gt=0) | Q(voided__gt=0))
    return list(rows.values_list("month", flat=True).distinct().order_by("-month")[:_MOST_MONTHS])


def currencies_with_records(workspace_id: WorkspaceId) -> list[str]:
    """The currencies that the workspace's records have."""
    rows = _totals(RecordFilter(workspace_id)).exclude(currency="")
    return list(rows.values_list("currency", flat=True).distinct().order_by("currency"))


def _totals(wanted: RecordFilter, database: str = DEFAULT_DB_ALIAS) -> QuerySet[MonthTotal]:
    rows = MonthTotal.objects.using(database).filter(connector__in=_connector_ids(wanted))
    for name in ("month", "kind", "currency"):
        value = getattr(wanted, name)
        if value:
            rows = rows.filter(**{name: value})
    return rows


def _connector_ids(wanted: RecordFilter) -> list[UUID]:
    """The connectors that are meant, with removed ones, whose records stay."""
    rows = Connector.objects.filter(workspace=wanted.workspace_id)
    if wanted.connector_id is not None:
        rows = rows.filter(pk=wanted.connector_id)
    return list(rows.values_list("pk", flat=True))
