"""Voids what a complete run has not seen, and keeps it as adjustments where the month was final (spec 06, Sync run)."""

from __future__ import annotations

from typing import Any

from django.db import connection

from apps.connectors.enums import AdjustmentKind
from apps.connectors.sync.pages import PagePlace

# A record that the run wrote names it; one that it found as before is noted beside the run. A join, as a list of
# hundreds of thousands would be.
_VOID = """
    UPDATE connectors_billingrecord AS stored SET voided_at = %(at)s, changed_at = %(at)s
    WHERE connector_id = %(connector)s AND month = %(month)s AND voided_at IS NULL AND seen_by <> %(run)s
        AND NOT EXISTS (
            SELECT FROM (SELECT unnest(record_ids) AS id FROM connectors_seenrecords WHERE run_id = %(run)s) AS seen
            WHERE seen.id = stored.id)
"""
_VOID_AND_KEEP = """
    WITH gone AS (<void> RETURNING external_id, amount_minor, currency, quantity)
    INSERT INTO connectors_recordadjustment (connector_id, run_id, month, external_id, kind, amount_before,
        currency_before, quantity_before, amount_after, currency_after, quantity_after, noted_at)
    SELECT %(connector)s, %(run)s, %(month)s, external_id, %(kind)s, amount_minor, currency, quantity, NULL, '', '',
        %(at)s
    FROM gone ORDER BY external_id
""".replace("<void>", _VOID)


def records_void(place: PagePlace, *, was_final: bool) -> int:
    """Void every record of the month that the run has neither written nor found as before; returns how many."""
    values: dict[str, Any] = {
        "at": place.at,
        "connector": place.connector_id,
        "month": place.month,
        "run": place.run_id,
        "kind": AdjustmentKind.VOIDED.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_VOID_AND_KEEP if was_final else _VOID, values)
        return int(cursor.rowcount)
