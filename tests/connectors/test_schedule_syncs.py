"""The hourly firing and the sweep: every due connector, in lists, recovered from rows (spec 06; spec 11, Speed)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from celery import current_app

from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.jobs import CONNECTORS_AT_ONCE, RUNS_A_TASK, run_syncs, syncs_schedule, syncs_sweep
from apps.connectors.models import Connector, SyncRun
from apps.connectors.sync.queue import QUEUE_LEASE, RUN_TASK
from apps.core.wakeups import end_silence
from apps.tenants.models import Workspace
from tests.connectors.cast import make_active_workspace, make_connector
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_workspace
from tests.sizes import size

CONNECTORS = size(small=450, full=10_000)
NOW = datetime(2026, 4, 20, 9, 7, tzinfo=UTC)
Wakeups = list[tuple[str, tuple[str, ...]]]


@pytest.fixture
def wakeups(monkeypatch: pytest.MonkeyPatch) -> Wakeups:
    """What was sent to the workers: name and arguments of each task."""
    sent: Wakeups = []
    end_silence()
    monkeypatch.setattr(current_app, "send_task", lambda name, args, **_: sent.append((name, tuple(args))))
    return sent


@pytest.fixture(autouse=True)
def _clock(transactional_db: None) -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def fill(workspace: Workspace, count: int) -> None:
    Connector.objects.bulk_create(
        Connector(workspace=workspace, provider="demo", name=f"c{number}", status=ConnectorStatus.ENABLED)
        for number in range(count)
    )


def lists_of(wakeups: Wakeups) -> list[list[str]]:
    return [arguments[0].split(",") for task, arguments in wakeups if task == RUN_TASK]


@pytest.mark.prove("connectors due in one hour, in lists and not a task each", size=CONNECTORS)
def test_every_due_connector_in_lists(wakeups: Wakeups) -> None:
    fill(make_active_workspace(), CONNECTORS)
    counts = syncs_schedule(console_context())
    assert (counts["connectors"], counts["runs"]) == (CONNECTORS, CONNECTORS * 14)
    lists = lists_of(wakeups)
    assert max(map(len, lists)) <= RUNS_A_TASK
    assert len(lists) < CONNECTORS * 14 / RUNS_A_TASK + CONNECTORS / CONNECTORS_AT_ONCE + 1
    assert sorted(run for each in lists for run in each) == sorted(
        str(run_id) for run_id in SyncRun.objects.values_list("pk", flat=True)
    )
    assert set(Connector.objects.values_list("next_due_at", flat=True)) == {datetime(2026, 4, 20, 10, tzinfo=UTC)}
    assert syncs_schedule(console_context())["connectors"] == 0


def test_who_is_passed_over(wakeups: Wakeups) -> None:
    for status in ConnectorStatus:
        if status is not ConnectorStatus.AUTO_DISABLED:
            make_connector(make_active_workspace(), status, "demo")
    make_connector(make_active_workspace(is_demo=True), provider="demo")
    make_connector(make_workspace(make_organization()), provider="demo")
    counts = syncs_schedule(console_context())
    assert (counts["connectors"], counts["not_allowed"]) == (1, 1)
    assert syncs_schedule(console_context(), include_demo=True)["connectors"] == 1


def test_the_sweep_hands_out_what_was_lost_once_and_what_died_each_time(wakeups: Wakeups) -> None:
    fill(make_active_workspace(), 2)
    syncs_schedule(console_context())
    wakeups.clear()
    assert syncs_sweep(console_context())["stranded"] == 0
    dead = SyncRun.objects.first()
    assert dead is not None
    SyncRun.objects.filter(pk=dead.pk).update(status=SyncStatus.RUNNING, claims=1)
    with time_machine.travel(NOW + QUEUE_LEASE, tick=False):
        assert syncs_sweep(console_context()) == {"stranded": 28, "handed_out": 28}
        assert syncs_sweep(console_context()) == {"stranded": 1, "handed_out": 1}
    assert [len(each) for each in lists_of(wakeups)] == [28, 1]


@pytest.mark.slow
def test_a_task_carries_out_its_list_and_a_repeated_delivery_nothing(wakeups: Wakeups) -> None:
    connector = make_connector(make_active_workspace(is_demo=True), provider="demo")
    syncs_schedule(console_context(), include_demo=True)
    (each,) = lists_of(wakeups)
    run_syncs(",".join(each))
    run_syncs(",".join(each))
    runs = SyncRun.objects.filter(connector=connector)
    assert {(run.status, run.claims, run.created) for run in runs} == {(SyncStatus.SUCCEEDED, 1, 27)}
    connector.refresh_from_db()
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        assert syncs_schedule(console_context(), include_demo=True)["runs"] == 1
