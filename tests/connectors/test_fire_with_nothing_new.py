"""An hour's firing over tens of thousands of connectors whose providers have nothing new (spec 06; spec 14)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from celery import current_app
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from apps.connectors.jobs import run_syncs, syncs_schedule
from apps.connectors.models import BillingRecord, Connector, MonthState, MonthTotal, SyncRun
from apps.connectors.sync.queue import RUN_TASK
from apps.core.wakeups import end_silence
from tests.connectors.cast import make_active_workspace, make_connector
from tests.contexts import console_context
from tests.core.processes import started
from tests.scale.rows import filling, multiply, row_id
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

CONNECTORS = size(small=120, full=30_000)
PROCESSES = 2
RECORDS = 27
MOST_STATEMENTS_A_RUN = 40
NOW = datetime(2026, 4, 20, 9, 7, tzinfo=UTC)


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lists of runs that were sent to the workers."""
    sent: list[str] = []
    end_silence()
    monkeypatch.setattr(
        current_app, "send_task", lambda name, args, **_: sent.append(args[0]) if name == RUN_TASK else None
    )
    return sent


@pytest.fixture(autouse=True)
def traveller(transactional_db: None) -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def fill(lists: list[str]) -> None:
    """So many connectors of one workspace, each of which has read the month with all its records."""
    first = make_connector(make_active_workspace(is_demo=True), provider="demo")
    Connector.objects.update(first_month="2026-04")
    syncs_schedule(console_context(), include_demo=True)
    run_syncs(lists.pop())
    each = f"generate_series(1, {CONNECTORS - 1}) n"
    with filling(BillingRecord):
        first.refresh_from_db()
        multiply(first, each, id=row_id("k"), name="'c' || n")
        kept: list[Model] = [*MonthState.objects.all(), *MonthTotal.objects.all(), *BillingRecord.objects.all()]
        for one in kept:
            multiply(one, each, connector_id=row_id("k"))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def carry_out(lists: list[str]) -> None:
    for one in lists:
        run_syncs(one)


def carried_out(lists: list[str]) -> float:
    """The seconds that so many processes take for all of them."""
    began = time.monotonic()
    workers = [started(partial(carry_out, lists[core::PROCESSES])) for core in range(PROCESSES)]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    return time.monotonic() - began


@pytest.mark.prove("an hour's firing over connectors with nothing new changes no record", size=CONNECTORS)
def test_nothing_new_changes_nothing(
    lists: list[str], traveller: time_machine.Traveller, record_property: Callable[[str, object], None]
) -> None:
    fill(lists)
    traveller.shift(timedelta(hours=1))
    before = dict(BillingRecord.objects.values_list("pk", "changed_at"))
    assert len(before) == CONNECTORS * RECORDS
    began = time.monotonic()
    with CaptureQueriesContext(connection) as seen:
        counts = syncs_schedule(console_context(), include_demo=True)
    fired = time.monotonic() - began
    assert counts["runs"] == CONNECTORS
    fresh = SyncRun.objects.filter(created_at__gt=NOW)
    alone = str(fresh.values_list("pk", flat=True)[0])
    with CaptureQueriesContext(connection) as of_one:
        run_syncs(alone)
    assert len(of_one) <= MOST_STATEMENTS_A_RUN
    seconds = carried_out(lists)
    outcomes = set(fresh.values_list("status", "fetched", "unchanged", "created", "updated", "voided"))
    assert outcomes == {("succeeded", RECORDS, RECORDS, 0, 0, 0)}
    assert dict(BillingRecord.objects.values_list("pk", "changed_at")) == before
    record_property("measured", f"fired in {fired:.1f} s with {len(seen)} statements")
    record_property(
        "measured", f"carried out in {seconds:,.0f} s by {PROCESSES} processes, {len(of_one)} statements a run"
    )
