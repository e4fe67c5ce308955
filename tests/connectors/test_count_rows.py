"""What a sync leaves behind: no version and no row for nothing new, and totals that are the sum (spec 06, 11)."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.jobs import syncs_schedule, syncs_start
from apps.connectors.models import BillingRecord, Connector, ConnectorEvent, MonthTotal, SyncRun
from apps.connectors.selectors.records import RecordFilter, count_records, currency_totals, read_records
from apps.connectors.sync.engine import sync_run_execute
from apps.core.context import system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import RequestId, WorkspaceId
from tests.connectors.cast import make_active_workspace, make_connector
from tests.connectors.upstream import Upstream, opened_on
from tests.sizes import size

CONTEXT = system_context(AuthorizationSource.SCHEDULER, name="billing-sync", request_id=RequestId("test-schedule"))
NOW = datetime(2026, 4, 20, 9, 0, tzinfo=UTC)

STEPS = size(small=40, full=1_000)


def versions(connector: Connector) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM connectors_connectorversion WHERE pgh_obj_id = %s", [connector.pk])
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("field", ["next_due_at", "last_success_at"])
def test_a_clock_that_moves_makes_no_version(db: None, field: str) -> None:
    connector = make_connector(make_active_workspace())
    before = versions(connector)
    Connector.objects.filter(pk=connector.pk).update(**{field: NOW})
    connector.refresh_from_db()
    assert (connector.version, versions(connector)) == (1, before)
    Connector.objects.filter(pk=connector.pk).update(**{field: NOW + timedelta(hours=1)}, name="Renamed", version=99)
    connector.refresh_from_db()
    assert (connector.version, versions(connector)) == (2, before + 1)


def rows() -> Counter[str]:
    models = (SyncRun, ConnectorEvent, BillingRecord)
    counts = Counter({model.__name__: model.objects.count() for model in models})
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM connectors_connectorversion")
        counts["versions"] = int(cursor.fetchone()[0])
    return counts


def test_a_day_of_hourly_firings_with_nothing_new_leaves_one_run(db: None) -> None:
    connector = make_connector(make_active_workspace())
    state = Upstream()
    for month in ("2026-03", "2026-04"):
        state.fill(month, 12)
    with time_machine.travel(NOW, tick=False):
        syncs_start(CONTEXT, ConnectorId(connector.pk))
        carry_out(state)
    before, made = rows(), 0
    for hour in range(1, 25):
        with time_machine.travel(NOW + timedelta(hours=hour), tick=False):
            made += syncs_schedule(CONTEXT)["runs"]
            carry_out(state)
    after = rows()
    # April alone is not final. It was read after one hour, two, four, eight and sixteen.
    assert made == 5
    assert after - before == Counter()
    assert after["SyncRun"] <= before["SyncRun"]
    assert SyncRun.objects.filter(created=0, updated=0, voided=0).count() == 1


def carry_out(state: Upstream) -> None:
    for run_id in SyncRun.objects.filter(status="queued").order_by("month").values_list("pk", flat=True):
        sync_run_execute(SyncRunId(run_id), opened=opened_on(state))


def test_a_firing_at_which_nothing_is_due_reads_no_month_and_writes_one_row(db: None) -> None:
    connector = make_connector(make_active_workspace())
    state = Upstream()
    with time_machine.travel(NOW, tick=False):
        syncs_start(CONTEXT, ConnectorId(connector.pk))
        carry_out(state)
    with time_machine.travel(NOW + timedelta(hours=3), tick=False):
        syncs_schedule(CONTEXT)
        carry_out(state)
    with time_machine.travel(NOW + timedelta(hours=4), tick=False), CaptureQueriesContext(connection) as asked:
        assert syncs_schedule(CONTEXT)["runs"] == 0
    writes = [query["sql"] for query in asked if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(writes) <= 1, writes


@pytest.mark.prove("month totals are the sum of the records", size=STEPS, control="a write past the triggers is caught")
def test_totals_are_the_sum_whatever_is_written(db: None) -> None:
    workspace = make_active_workspace()
    connectors = [make_connector(workspace), make_connector(workspace)]
    chance = random.Random(19)  # noqa: S311 - repeatable
    for step in range(STEPS):
        write(chance, chance.choice(connectors), step)
        compare(WorkspaceId(workspace.pk))
    with connection.cursor() as cursor:
        # The control: a write that no trigger sees.
        cursor.execute("SET LOCAL session_replication_role = replica")
        BillingRecord.objects.filter(voided_at=None).update(amount_minor=F("amount_minor") + 1)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    with pytest.raises(AssertionError):
        compare(WorkspaceId(workspace.pk))


def write(chance: random.Random, connector: Connector, step: int) -> None:
    some = BillingRecord.objects.filter(connector=connector, pk__gte=chance.randrange(1, 400))
    match chance.randrange(5):
        case 0:
            some.update(voided_at=NOW)
        case 1:
            some.update(voided_at=None)
        case 2:
            some.filter(currency="EUR").update(amount_minor=F("amount_minor") + 7)
        case 3:
            some.update(month=chance.choice(["2026-03", "2026-04"]))
        case _:
            for number in range(chance.randrange(1, 6)):
                make_record(chance, connector, f"{step}-{number}")
    if chance.random() < 0.1:
        BillingRecord.objects.filter(pk__in=list(some.values_list("pk", flat=True)[:2])).delete()


def make_record(chance: random.Random, connector: Connector, external_id: str) -> None:
    currency = chance.choice(["EUR", "JPY", ""])
    BillingRecord.objects.create(
        connector=connector,
        external_id=external_id,
        month=chance.choice(["2026-03", "2026-04"]),
        kind=chance.choice(["cost", "usage"]),
        category="regular",
        occurred_at=NOW + timedelta(hours=chance.randrange(200)),
        amount_minor=chance.randrange(-500, 2_000) if currency else None,
        currency=currency,
        raw={},
        digest=b"",
        seen_by=connector.pk,
        first_seen_at=NOW,
        changed_at=NOW,
        voided_at=chance.choice([None, None, NOW]),
    )


def compare(workspace_id: WorkspaceId) -> None:
    expected: Counter[tuple[str, ...]] = Counter()
    amounts: Counter[tuple[str, ...]] = Counter()
    for record in BillingRecord.objects.all():
        key = str(record.connector_id), record.month, record.kind, record.currency
        expected[(*key, "voided" if record.voided_at else "live")] += 1
        amounts[key] += 0 if record.voided_at else record.amount_minor or 0
    found: Counter[tuple[str, ...]] = Counter()
    for total in MonthTotal.objects.all():
        key = str(total.connector_id), total.month, total.kind, total.currency
        found[(*key, "live")], found[(*key, "voided")] = total.records, total.voided
        assert amounts[key] == int(total.amount_minor)
    assert +found == +expected
    for wanted in (
        RecordFilter(workspace_id, month="2026-04"),
        RecordFilter(workspace_id, month="2026-03", kind="cost", with_voided=True),
        RecordFilter(workspace_id, month="2026-03", currency="EUR"),
    ):
        everything, before = [], None
        while part := read_records(wanted, size=7, before=before):
            everything += part
            before = part[-1].occurred_at, part[-1].pk
        assert len(everything) == len({row.pk for row in everything}) == count_records(wanted)
        assert everything == sorted(everything, key=lambda row: (row.occurred_at, row.pk), reverse=True)
        for sums in currency_totals(wanted):
            live = [row for row in everything if row.currency == sums.currency and row.voided_at is None]
            assert (sum(row.amount_minor or 0 for row in live), len(live)) == (sums.amount_minor, sums.records)
