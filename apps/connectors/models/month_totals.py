"""What the records of a month add up to, kept by the database with every write of a record (spec 06, BillingRecord)."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.connectors.enums import RecordKind
from apps.connectors.models.connectors import Connector
from apps.core.constraints import one_of

_FIGURES = """
    SELECT connector_id, month, kind, currency, <sign>(voided_at IS NULL)::int AS records,
        <sign>(voided_at IS NOT NULL)::int AS voided,
        <sign>CASE WHEN voided_at IS NULL THEN COALESCE(amount_minor, 0) ELSE 0 END::numeric AS amount_minor
    FROM <rows>
"""
_ADDED = _FIGURES.replace("<sign>", "").replace("<rows>", "new_values")
_TAKEN = _FIGURES.replace("<sign>", "-").replace("<rows>", "old_values")
# In one order everywhere, so that two statements never wait for each other.
_COUNT = """
    INSERT INTO connectors_monthtotal AS total (connector_id, month, kind, currency, records, voided, amount_minor)
    SELECT connector_id, month, kind, currency, SUM(records), SUM(voided), SUM(amount_minor)::text
    FROM (<moved>) AS moved
    GROUP BY connector_id, month, kind, currency
    HAVING SUM(records) <> 0 OR SUM(voided) <> 0 OR SUM(amount_minor) <> 0
    ORDER BY connector_id, month, kind, currency
    ON CONFLICT (connector_id, month, kind, currency) DO UPDATE SET records = total.records + EXCLUDED.records,
        voided = total.voided + EXCLUDED.voided,
        amount_minor = (total.amount_minor::numeric + EXCLUDED.amount_minor::numeric)::text;
    RETURN NULL;
"""


class MonthTotal(models.Model):
    """The live and the voided records of one kind and currency of a connector's month, and the sum of the live ones.

    `currency` is empty for records without an amount. The sum is a whole number as text, as no integer of the database
    may hold it. Triggers keep it, whoever writes a record and by whatever means.
    """

    id = models.BigAutoField(primary_key=True)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="month_totals", db_index=False)
    month = models.CharField(max_length=7)
    kind = models.CharField(max_length=16, choices=RecordKind.choices)
    currency = models.CharField(max_length=3, blank=True)
    records = models.BigIntegerField()
    voided = models.BigIntegerField()
    amount_minor = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connector", "month", "kind", "currency"], name="month_total_unique"),
            one_of("kind", RecordKind, "month_total_kind_known"),
            models.CheckConstraint(condition=Q(amount_minor__regex=r"^-?[0-9]+$"), name="month_total_is_whole"),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.kind} {self.currency}"


def counted_by_month(name: str) -> list[pgtrigger.Trigger]:
    """The triggers that count the records, once a statement. PostgreSQL wants one for each kind of statement."""
    old, new = {"old": "old_values"}, {"new": "new_values"}
    return [
        _counting(f"{name}_counted_in", pgtrigger.Insert, _ADDED, new),
        _counting(f"{name}_counted_again", pgtrigger.Update, f"{_ADDED} UNION ALL {_TAKEN}", {**old, **new}),
        _counting(f"{name}_counted_out", pgtrigger.Delete, _TAKEN, old),
    ]


def _counting(name: str, operation: pgtrigger.Operation, moved: str, tables: dict[str, str]) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=pgtrigger.Referencing(**tables),  # type: ignore[no-untyped-call]
        func=_COUNT.replace("<moved>", moved),
    )
