"""Billing records: filters, totals of each currency, CSV (spec 06, BillingRecord)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.connectors.enums import RecordKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import BillingRecord
from apps.connectors.rules.months import month_of
from apps.connectors.selectors.connectors import connectors_with_records
from apps.connectors.selectors.records import (
    Place,
    RecordFilter,
    count_records,
    currency_totals,
    months_with_records,
    read_records,
    stream_records,
)
from apps.connectors.views.base import ConnectorsPage
from apps.connectors.views.presenters import total_lines
from apps.core import clock
from apps.core.amounts import format_minor
from apps.core.exports import csv_lines, harmless
from apps.core.ids import WorkspaceId
from apps.core.moments import read_iso_moment
from apps.core.wire.values import format_time

PAGE_SIZE = 50
_MONTHS_OFFERED = 6
_LONGEST_NUMBER = 18
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


def read_filter(request: HttpRequest, workspace_id: WorkspaceId) -> RecordFilter:
    """The filter of the query; an impossible value counts as no condition."""
    asked = request.GET
    month, kind, currency = asked.get("month", ""), asked.get("kind", ""), asked.get("currency", "").upper()
    return RecordFilter(
        workspace_id=workspace_id,
        connector_id=_connector_id(asked.get("connector", "")),
        month=month if _MONTH.fullmatch(month) else "",
        kind=kind if kind in RecordKind.values else "",
        currency=currency if _CURRENCY.fullmatch(currency) else "",
        with_voided="voided" in asked,
    )


def _connector_id(text: str) -> ConnectorId | None:
    try:
        return ConnectorId(UUID(text))
    except ValueError:
        return None


def _read_place(text: str) -> Place | None:
    """The place in the list that a link of ours names; any other text is the beginning."""
    moment, _, number = text.rpartition("_")
    if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER):
        return None
    try:
        return read_iso_moment(moment, needs_offset=True), int(number)
    except ValueError:
        return None


class RecordList(ConnectorsPage):
    operations: ClassVar[dict[str, str]] = {"GET": "connectors.read"}

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """One page of a month's records, the current month's first, with the totals of all that match."""
        asked = read_filter(request, self.workspace_id)
        current = str(month_of(clock.now(), self.zone))
        wanted = replace(asked, month=asked.month or current)
        before = _read_place(request.GET.get("before", ""))
        rows = read_records(wanted, size=PAGE_SIZE + 1, before=before)
        page = rows[:PAGE_SIZE]
        query = {name: value for name, value in request.GET.items() if name != "before"} | {"month": wanted.month}
        months = months_with_records(RecordFilter(self.workspace_id, wanted.connector_id, with_voided=True))
        facts = {
            "lines": [{"record": row, "amount": _amount(row)} for row in page],
            "count": count_records(wanted),
            "older": f"{page[-1].occurred_at.isoformat()}_{page[-1].pk}" if len(rows) > PAGE_SIZE else "",
            "is_first": before is None,
            "wanted": wanted,
            "months": sorted({*months, current, wanted.month}, reverse=True),
            "other_months": [month for month in months if month != wanted.month][:_MONTHS_OFFERED],
            "kinds": RecordKind.choices,
            "connectors": connectors_with_records(self.workspace_id),
            "totals": total_lines(currency_totals(wanted)),
            "query": urlencode(query),
            "is_filtered": wanted != RecordFilter(self.workspace_id, month=current),
            "may_export": self.may("report.export"),
        }
        return self.render("connectors/records.html", facts, title="Billing records")


def _amount(row: BillingRecord) -> str:
    return "" if row.amount_minor is None else format_minor(row.amount_minor, row.currency, is_grouped=True)


class RecordExport(ConnectorsPage):
    """The same records as CSV."""

    operations: ClassVar[dict[str, str]] = {"GET": "report.export"}

    def get(self, request: HttpRequest, workspace_slug: str) -> StreamingHttpResponse:
        """Stream every matching record in constant memory."""
        lines = record_lines(stream_records(read_filter(request, self.workspace_id)))
        answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="{workspace_slug}-billing-records.csv"'
        return answer


COLUMNS = (
    "connector",
    "month",
    "external_id",
    "kind",
    "description",
    "occurred_at",
    "quantity",
    "unit",
    "amount_minor",
    "currency",
    "amount",
    "category",
    "status",
    "voided_at",
)


def record_lines(records: Iterable[BillingRecord]) -> Iterator[str]:
    """The header and one line a record. Amounts are in minor units, and once more for people."""
    return csv_lines(COLUMNS, (_cells(record) for record in records))


def _cells(record: BillingRecord) -> list[object]:
    amount = record.amount_minor
    return [
        harmless(record.connector.name),
        record.month,
        harmless(record.external_id),
        record.kind,
        harmless(record.description),
        format_time(record.occurred_at),
        record.quantity,
        harmless(record.unit),
        "" if amount is None else amount,
        record.currency,
        "" if amount is None else format_minor(amount, record.currency).rpartition(" ")[0],
        record.category,
        harmless(record.status),
        format_time(record.voided_at) if record.voided_at else "",
    ]
