"""A full queue of syncs keeps no other work waiting (spec 14, Topology)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
import redis
from celery import current_app

from apps.connectors.sync.queue import RUN_TASK as SYNC_TASK
from apps.connectors.sync.requests import sync_request
from apps.core import clock
from apps.core.jobs import job_run_request, jobs
from apps.core.jobs.runs import RUN_TASK
from apps.core.models import JobRun
from billing_site import queues
from billing_site.launcher import places
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.contexts import console_context
from tests.faults.stacks import Stack, fresh_stack, wait_until
from tests.faults.web_servers import database_url
from tests.sizes import IS_FULL, size

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

LISTS = size(small=60, full=1_000)
_MINUTES = 4
MINUTE_JOBS = [definition.name for definition in jobs() if definition.cadence.every == timedelta(minutes=1)]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack with a broker of its own, over the test's database."""
    with fresh_stack(DATABASE_URL=database_url()) as stack:
        monkeypatch.setenv("COUNTINGHOUSE_STATE_DIR", str(stack.state))
        stack.start()
        yield stack


@contextlib.contextmanager
def syncs_that_do_not_end() -> Iterator[str]:
    """A sync whose row somebody holds: each task that would carry it out waits for the row."""
    connector = make_connector(make_active_workspace())
    [answer, *_] = sync_request(console_context(), connector_id=id_of(connector))
    with psycopg.connect(database_url()) as holder:
        holder.execute("SELECT FROM connectors_syncrun WHERE id = %s FOR UPDATE", [answer.run.pk])
        yield str(answer.run.pk)


@contextlib.contextmanager
def broker() -> Iterator[Any]:
    with current_app.connection_for_write(places.broker_url()) as found:
        yield found


def waiting_lists() -> int:
    with contextlib.closing(redis.Redis(unix_socket_path=str(places.valkey_socket()))) as server:
        return int(server.llen(queues.SYNCS))


def send_lists(connection: Any, run_id: str, count: int) -> None:
    for _ in range(count):
        current_app.send_task(SYNC_TASK, args=[run_id], connection=connection)


def all_processes_are_held() -> bool:
    """Each process of the syncs waits for the row."""
    with psycopg.connect(database_url()) as watcher:
        row = watcher.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%connectors_syncrun%'"
        ).fetchone()
    return row == (next(worker.processes for worker in queues.WORKERS if queues.SYNCS in worker.queues),)


@pytest.mark.prove(
    "beside a full queue of syncs every other job runs, in full size each minute job within 60 s of its slot",
    size=LISTS,
    control="a run that stands in the queue of the syncs does not start",
)
def test_every_other_job_runs_while_syncs_fill_their_queue(stack: Stack) -> None:
    since = clock.now()
    with syncs_that_do_not_end() as run_id, broker() as connection:
        send_lists(connection, run_id, LISTS)
        wait_until(all_processes_are_held, stack.said)
        runs = [send_run(connection, name, **queues.job_route(name)) for name in sorted(queues.JOBS)]
        over = JobRun.objects.filter(pk__in=[run.pk for run in runs], finished_at__isnull=False)
        wait_until(lambda: over.count() == len(runs), stack.said)
        control = send_run(connection, "sweep-inbox", queue=queues.SYNCS)
        time.sleep(3)
        control.refresh_from_db()
        assert control.started_at is None
        if IS_FULL:
            time.sleep(_MINUTES * 60)
            check_lateness(since)
        assert waiting_lists() > LISTS / 2
    # The stack took the outside database in place of an embedded one.
    assert not (stack.state / "postgres").exists()
    assert stack.stop() == 0


def send_run(connection: Any, name: str, **route: Any) -> JobRun:
    run = job_run_request(console_context(), name=name)
    current_app.send_task(RUN_TASK, args=[str(run.pk)], connection=connection, **route)
    return run


def check_lateness(since: datetime) -> None:
    """Each slot of each minute job since then was started within its minute."""
    until = clock.now() - timedelta(minutes=1)
    slots = JobRun.objects.filter(name__in=MINUTE_JOBS, slot_at__gt=since, slot_at__lt=until)
    ran = list(slots.exclude(status="skipped"))
    assert len(ran) >= (_MINUTES - 1) * len(MINUTE_JOBS)
    for run in ran:
        assert run.started_at is not None, run
        assert run.slot_at is not None
        assert run.started_at - run.slot_at < timedelta(seconds=60), run
