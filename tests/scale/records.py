"""Connectors, one an organization, and their records: the hot organization's connector has a tenth of all."""

from __future__ import annotations

from django.db import connection

from apps.connectors.enums import RecordKind
from apps.connectors.models import BillingRecord, Connector, SyncRun
from apps.core import clock
from apps.core.enums import UsageCategory
from apps.tenants.models import Workspace
from tests.connectors.cast import make_connector, make_sync_run
from tests.scale.rows import at, multiply, numbers, row_id

_RECORDS_AN_ENTRY, _RUNS_AN_ENTRY = 0.4, 0.1
_CONNECTOR = row_id("k", "CASE WHEN n % 10 = 0 THEN 1 ELSE 1 + n % orgs END")
_WHEN = at("n::float / total")
# What the triggers keep, which do not run here; and what tells the rollups to look.
_KEPT = (
    """INSERT INTO connectors_monthtotal (connector_id, month, kind, currency, records, voided, amount_minor)
        SELECT connector_id, month, kind, currency, COUNT(*), 0, SUM(amount_minor)::text
        FROM connectors_billingrecord GROUP BY 1, 2, 3, 4 ON CONFLICT DO NOTHING""",
    """INSERT INTO connectors_monthstate (connector_id, month, read_at)
        SELECT DISTINCT connector_id, month, now() FROM connectors_monthtotal ON CONFLICT DO NOTHING""",
    """INSERT INTO connectors_changedmonth (connector_id, month)
        SELECT DISTINCT connector_id, month FROM connectors_monthtotal""",
    """UPDATE connectors_connector c SET last_failure_at = failed.last FROM (SELECT connector_id,
        MAX(created_at) AS last FROM connectors_syncrun WHERE status = 'failed' GROUP BY 1) failed
        WHERE failed.connector_id = c.id""",
)


def make_record(workspace: Workspace) -> BillingRecord:
    """One record of a connector that needs no key."""
    now = clock.now()
    record: BillingRecord = BillingRecord.objects.create(
        connector=make_connector(workspace, provider="demo"),
        external_id="first",
        month=f"{now:%Y-%m}",
        kind=RecordKind.USAGE,
        description="Runs",
        occurred_at=now,
        quantity="3",
        unit="run",
        amount_minor=250,
        currency="EUR",
        category=UsageCategory.REGULAR,
        raw={"id": "first"},
        digest=b"first",
        seen_by="00000000-0000-0000-0000-000000000001",
        first_seen_at=now,
        changed_at=now,
    )
    return record


def fill_records(record: BillingRecord, run: SyncRun, entries: int, organizations: int) -> None:
    tomorrow = "now() + interval '1 day'"
    connector: Connector = record.connector
    multiply(
        connector,
        f"generate_series(1, {organizations}) n",
        id=row_id("k"),
        workspace_id=row_id("w"),
        last_success_at="now()",
        next_due_at=tomorrow,
        created_at=at("0"),
    )
    multiply(
        record,
        numbers(int(entries * _RECORDS_AN_ENTRY), organizations),
        "ORDER BY n",
        connector_id=_CONNECTOR,
        external_id="'record-' || n",
        month=f"to_char({_WHEN}, 'YYYY-MM')",
        occurred_at=_WHEN,
        first_seen_at=_WHEN,
        changed_at=_WHEN,
    )
    multiply(
        run,
        numbers(max(50, int(entries * _RUNS_AN_ENTRY)), organizations),
        "ORDER BY n",
        id=row_id("y"),
        connector_id=_CONNECTOR,
        month=f"to_char({_WHEN}, 'YYYY-MM')",
        status="CASE WHEN n % 1000 = 0 THEN t.status ELSE 'succeeded' END",
        error_code="CASE WHEN n % 1000 = 0 THEN t.error_code ELSE '' END",
        error="CASE WHEN n % 1000 = 0 THEN t.error ELSE '' END",
        created_at=_WHEN,
        finished_at=_WHEN,
    )
    with connection.cursor() as cursor:
        for statement in _KEPT:
            cursor.execute(statement)


def make_templates(workspace: Workspace) -> tuple[BillingRecord, SyncRun]:
    record = make_record(workspace)
    return record, make_sync_run(record.connector)
