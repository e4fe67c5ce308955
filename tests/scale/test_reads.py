"""Reads that once walked over all that an account or a connector has: each costs what it shows (spec 11, Speed)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Model
from django.test.utils import CaptureQueriesContext

from apps.backoffice.filters import of_customers
from apps.backoffice.paginator import BoundedPaginator
from apps.connectors.enums import SyncStatus
from apps.connectors.models import BillingRecord, Connector, SyncRun
from apps.connectors.models.connectors import IS_FAILING
from apps.connectors.selectors.records import RecordFilter, read_records
from apps.connectors.selectors.syncs import latest_sync_runs
from apps.core import clock
from apps.core.ids import WorkspaceId
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry, ShadowDisagreement
from apps.credits.selectors.statement import EntryFilter, entry_page
from apps.subscriptions.models import DecisionReceipt
from tests.backoffice.records import MAKERS
from tests.connectors.cast import make_connector, make_sync_run
from tests.factories.tenants import make_organization, make_workspace
from tests.scale.measure import cost_of
from tests.scale.records import make_record
from tests.scale.rows import at, filling, multiply

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walk]

MANY = 20_000
_SHOWN = 50
_NUMBERS = f"generate_series(1, {MANY}) n"
_WHEN = at(f"n::float / {MANY}")


def grow(template: Model, **values: str) -> None:
    """Many rows like it, as the server knows them after a while."""
    with filling():
        multiply(template, _NUMBERS, **values)
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {template._meta.db_table}")


def buffers(read: Callable[[], Any]) -> int:
    return cost_of(lambda: len(list(read()))).buffers


def test_entries_of_a_seldom_kind() -> None:
    entry = MAKERS[CreditEntry]()
    assert isinstance(entry, CreditEntry)
    grow(
        entry,
        id="gen_random_uuid()",
        sequence="n + 1000",
        kind="'consumption'",
        amount="0",
        hold_id="NULL",
        grant_id="NULL",
        idempotency_key="'key-' || n",
        recorded_at=_WHEN,
    )
    wanted = EntryFilter(kind=EntryKind.REVERSAL)
    assert buffers(lambda: entry_page(entry.account_id, wanted, before=None, size=_SHOWN).entries) <= 20


def test_a_page_of_a_long_month_of_records() -> None:
    workspace = make_workspace(make_organization())
    record = make_record(workspace)
    # Half are of this connector; the others are of so many that an average one has a few.
    others = "CASE WHEN n % 2 = 0 THEN t.connector_id ELSE md5('c' || n % 4000)::uuid END"
    grow(record, external_id="'record-' || n", connector_id=others, occurred_at=_WHEN)
    wanted = RecordFilter(WorkspaceId(workspace.pk), month=record.month)
    assert len(read_records(wanted, size=_SHOWN)) == _SHOWN
    assert buffers(lambda: read_records(wanted, size=_SHOWN)) <= 6 * _SHOWN


def test_the_latest_runs_of_a_workspaces_connectors() -> None:
    workspace = make_workspace(make_organization())
    runs = [make_sync_run(make_connector(workspace, provider="demo")) for _ in range(2)]
    own = f"('{{{runs[0].connector_id},{runs[1].connector_id}}}'::uuid[])[1 + n % 2]"
    others = f"CASE WHEN n % 3 > 0 THEN {own} ELSE md5('c' || n % 500)::uuid END"
    grow(runs[0], id="gen_random_uuid()", connector_id=others, created_at=_WHEN, finished_at=_WHEN)
    of_workspace = SyncRun.objects.filter(connector__workspace=workspace).order_by("-created_at", "pk")
    latest = list(latest_sync_runs(WorkspaceId(workspace.pk), most=_SHOWN))
    assert latest == list(of_workspace[:_SHOWN])
    assert {run.connector_id for run in latest} == {run.connector_id for run in runs}
    assert buffers(lambda: latest_sync_runs(WorkspaceId(workspace.pk), most=_SHOWN)) <= 14 * _SHOWN


def test_connectors_whose_last_sync_failed() -> None:
    workspace = make_workspace(make_organization())
    connector = make_connector(workspace, provider="demo")
    grow(connector, id="gen_random_uuid()", name="'C' || n", created_at=_WHEN)
    now = clock.now()
    waiting = {"status": SyncStatus.QUEUED, "error_code": "", "finished_at": None, "lease_expires_at": now}
    for ago, month in enumerate(("2026-09", "2026-08")):
        make_sync_run(connector, **waiting, month=month, created_at=now - timedelta(hours=ago))
    # The newer of the two fails first.
    for run in SyncRun.objects.order_by("-created_at"):
        over = {"status": SyncStatus.FAILED, "lease_expires_at": None, "finished_at": now}
        SyncRun.objects.filter(pk=run.pk).update(error_code="refused", **over)
    failing = Connector.objects.filter(IS_FAILING, removed_at=None).order_by("-created_at", "id")
    assert [(row.pk, row.last_failure_at) for row in failing] == [(connector.pk, now)]
    assert buffers(lambda: failing[:_SHOWN]) <= 10
    Connector.objects.filter(pk=connector.pk).update(last_success_at=F("last_failure_at"))
    assert list(failing.all()) == []


def test_disagreements_about_a_seldom_operation() -> None:
    seldom = MAKERS[ShadowDisagreement]()
    assert isinstance(seldom, ShadowDisagreement)
    grow(seldom, id="gen_random_uuid()", operation="'often'", seen_at=_WHEN)
    found = ShadowDisagreement.objects.filter(operation=seldom.operation).order_by("-seen_at", "pk")
    assert list(found) == [seldom]
    assert buffers(lambda: found.all()[:_SHOWN]) <= 10


def test_counting_the_receipts_of_a_gate_reads_none_of_them() -> None:
    receipt = MAKERS[DecisionReceipt]()
    assert isinstance(receipt, DecisionReceipt)
    rows = DecisionReceipt.objects.filter(of_customers("organization_id"), kind=receipt.kind).order_by("pk")
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as captured:
        assert BoundedPaginator(rows, _SHOWN).count == 1
        # Of a table as small as this one each of them costs the same.
        cursor.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {captured.captured_queries[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan; RESET enable_bitmapscan")
    assert "Index Only Scan using decision_receipt_of_gate" in plan


def test_the_rows_are_many() -> None:
    """The control: what is read without an index costs more than any of the bounds."""
    record = make_record(make_workspace(make_organization()))
    grow(record, external_id="'record-' || n", occurred_at=_WHEN)
    assert buffers(lambda: BillingRecord.objects.filter(description="none")) > 100
