"""Billing records: filters, totals of each currency, CSV (spec 06, BillingRecord)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import tzinfo
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.connectors.forms import RecordFilterForm
from apps.connectors.models import BillingRecord
from apps.connectors.rules.months import month_of
from apps.connectors.selectors.connectors import connectors_with_records
from apps.connectors.selectors.records import (
    Place,
    RecordFilter,
    count_records,
    currencies_with_records,
    currency_totals,
    months_with_records,
    read_records,
    stream_records,
)
from apps.connectors.views.base import ConnectorsPage
from apps.connectors.views.presenters import total_lines
from apps.core import clock
from apps.core.amounts import format_minor, format_minor_number
from apps.core.exports import csv_lines, harmless, sheet_time
from apps.core.ids import WorkspaceId
from apps.core.moments import read_iso_moment
from apps.core.replica import history_source

PAGE_SIZE = 50
_MONTHS_OFFERED = 6
_LONGEST_NUMBER = 18


def _form_of(request: HttpRequest, workspace_id: WorkspaceId, current: str) -> RecordFilterForm:
    return RecordFilterForm(
        request.GET,
        connectors=list(connectors_with_records(workspace_id)),
        months=[current, *months_with_records(RecordFilter(workspace_id, with_voided=True))],
        currencies=currencies_with_records(workspace_id),
    )


def _read_place(text: str) -> Place | None:
    """The place in the list that a link of ours names; any other text is the beginning."""
    moment, _, number = text.rpartition("_")
    if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER):
        return None
    try:
        return read_iso_moment(moment, needs_offset=True), int(number)
    except ValueError:
        return None


class _Records(ConnectorsPage):
    """What the list and its file have in common."""

    def refuse(self, form: RecordFilterForm) -> HttpResponse:
        """422 with the form and its sentences."""
        facts = {"form": form, "is_bad": True}
        return self.render(
            "connectors/records.html", facts, title="Billing records", status=HTTPStatus.UNPROCESSABLE_ENTITY
        )


class RecordList(_Records):
    operations: ClassVar[dict[str, str]] = {"GET": "connectors.read"}

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """One page of a month's records, the current month's first, with the totals of all that match.

        A filter that can't be comes back with a sentence, and without records.
        """
        current = str(month_of(clock.now(), self.zone))
        form = _form_of(request, self.workspace_id, current)
        if not form.is_valid():
            return self.refuse(form)
        asked = form.wanted(self.workspace_id)
        wanted = replace(asked, month=asked.month or current)
        database = history_source(request).database
        before = _read_place(request.GET.get("before", ""))
        rows = read_records(wanted, size=PAGE_SIZE + 1, before=before, database=database)
        page = rows[:PAGE_SIZE]
        query = {name: value for name, value in request.GET.items() if name != "before"} | {"month": wanted.month}
        every_month = RecordFilter(self.workspace_id, wanted.connector_id, with_voided=True)
        months = months_with_records(every_month, database)
        form.data = {**request.GET.dict(), "month": wanted.month}
        facts = {
            "form": form,
            "lines": [{"record": row, "amount": _amount(row)} for row in page],
            "count": count_records(wanted, database),
            "older": f"{page[-1].occurred_at.isoformat()}_{page[-1].pk}" if len(rows) > PAGE_SIZE else "",
            "is_first": before is None,
            "wanted": wanted,
            "other_months": [month for month in months if month != wanted.month][:_MONTHS_OFFERED],
            "totals": total_lines(currency_totals(wanted, database)),
            "query": urlencode(query),
            "is_filtered": wanted != RecordFilter(self.workspace_id, month=current),
            "may_export": self.may("report.export"),
        }
        return self.render("connectors/records.html", facts, title="Billing records")


def _amount(row: BillingRecord) -> str:
    return "" if row.amount_minor is None else format_minor(row.amount_minor, row.currency, is_grouped=True)


class RecordExport(_Records):
    """The same records as CSV."""

    operations: ClassVar[dict[str, str]] = {"GET": "report.export"}

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse | StreamingHttpResponse:
        """Stream every matching record in constant memory; of every month where none is asked for."""
        form = _form_of(request, self.workspace_id, "")
        if not form.is_valid():
            return self.refuse(form)
        records = stream_records(form.wanted(self.workspace_id), history_source(request).database)
        lines = record_lines(records, self.zone)
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


def record_lines(records: Iterable[BillingRecord], zone: tzinfo) -> Iterator[str]:
    """The header and one line a record. Amounts are in minor units, and once more for people; times are the zone's."""
    return csv_lines(COLUMNS, (_cells(record, zone) for record in records))


def _cells(record: BillingRecord, zone: tzinfo) -> list[object]:
    amount = record.amount_minor
    return [
        harmless(record.connector.name),
        record.month,
        harmless(record.external_id),
        record.kind,
        harmless(record.description),
        sheet_time(record.occurred_at, zone),
        record.quantity,
        harmless(record.unit),
        "" if amount is None else amount,
        record.currency,
        "" if amount is None else format_minor_number(amount, record.currency),
        record.category,
        harmless(record.status),
        sheet_time(record.voided_at, zone) if record.voided_at else "",
    ]
