"""What rollups read of billing records: pieces of SQL, as the app above names none of our tables (spec 07, Rollups)."""

from __future__ import annotations

# For a CTE `part (account_id, workspace_id, connector_id, month)`: each record of these months that still stands.
RECORD_LINES = """
    SELECT part.account_id, part.workspace_id, part.connector_id, part.month, record.kind, record.unit, record.category,
        record.currency, record.occurred_at, COALESCE(NULLIF(record.quantity, '')::numeric, 0) AS quantity,
        COALESCE(record.amount_minor, 0) AS amount
    FROM part
    JOIN connectors_billingrecord AS record
        ON record.connector_id = part.connector_id AND record.month = part.month AND record.voided_at IS NULL
"""
# Takes the notes of changed months of these connectors. What is noted later stays.
TAKE_CHANGED_MONTHS = """
    DELETE FROM connectors_changedmonth WHERE connector_id = ANY(%s::uuid[]) RETURNING connector_id, month
"""
# Every month of a connector that has records, read off the index: one step a month, however many records there are.
MONTHS_OF_CONNECTORS = """
    WITH RECURSIVE found (connector_id, month) AS (
        SELECT id, '' FROM unnest(%s::uuid[]) AS id
        UNION ALL
        SELECT found.connector_id, (
            SELECT MIN(month) FROM connectors_billingrecord AS record
            WHERE record.connector_id = found.connector_id AND record.month > found.month)
        FROM found WHERE found.month IS NOT NULL)
    SELECT connector_id, month FROM found WHERE month <> ''
"""
