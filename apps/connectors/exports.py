"""Billing records as CSV: streamed, and harmless in a spreadsheet (spec 11, Security baseline)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from apps.connectors.models import BillingRecord
from apps.core.amounts import format_minor
from apps.core.exports import csv_lines, harmless
from apps.core.wire.values import format_time

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
