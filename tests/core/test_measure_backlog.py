"""`/metrics` says what waits and what is late, also when nobody works (spec 14, Watching it)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import backlog, clock
from apps.core.backlog import backlog_metrics, lateness
from apps.core.enums import AuthorizationSource, Role
from apps.core.jobs.registry import Cadence, JobDefinition, jobs, slot_name
from apps.core.leases import QUEUES, Queue
from apps.core.models import JobRun, OutboxItem
from apps.core.outbox.services import outbox_enqueue
from apps.core.states import JobRunStatus, JobTrigger
from apps.reporting.models import BooksCheck, PlatformBooks
from tests.contexts import console_context

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 3, 10, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURLY = JobDefinition("made-up", "jobs.read", Cadence(HOUR), lambda *_, **__: {})


def measured(name: str, label: str) -> float:
    found = re.search(rf'^{name}{{\w+="{label}"}} (\S+)$', backlog_metrics().decode(), re.MULTILINE)
    assert found is not None, (name, label)
    return float(found[1])


def enqueue(key: str, *, ago: timedelta, **columns: object) -> None:
    item = outbox_enqueue(console_context(), kind="made.up", key=key, payload={})
    OutboxItem.objects.filter(pk=item.pk).update(next_attempt_at=clock.real_now() - ago, **columns)


def test_every_queue_and_job_is_measured() -> None:
    assert {"core.outboxitem", "core.jobrun", "payments.webhookevent", "connectors.syncrun"} <= QUEUES.keys()
    text = Client().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    for name in QUEUES:
        assert f'countinghouse_queue_waiting{{queue="{name}"}}' in text
        assert f'countinghouse_queue_overdue_seconds{{queue="{name}"}}' in text
    for definition in jobs():
        assert f'countinghouse_job_late_seconds{{name="{definition.name}"}} 0.0' in text


def test_what_waits_is_counted_and_its_age_is_that_of_the_oldest_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured("countinghouse_queue_overdue_seconds", "core.outboxitem") == 0
    enqueue("later", ago=-HOUR)
    assert measured("countinghouse_queue_overdue_seconds", "core.outboxitem") == 0
    enqueue("now", ago=timedelta(0))
    enqueue("long ago", ago=2 * HOUR)
    assert measured("countinghouse_queue_waiting", "core.outboxitem") == 3
    assert 7_200 <= measured("countinghouse_queue_overdue_seconds", "core.outboxitem") < 7_260
    monkeypatch.setattr(backlog, "MOST_COUNTED", 2)
    assert measured("countinghouse_queue_waiting", "core.outboxitem") == 2


def test_a_row_of_a_dead_worker_waits_since_its_lease_ended() -> None:
    enqueue("dead", ago=HOUR, status="in_progress", lease_expires_at=clock.real_now() - HOUR / 2)
    assert measured("countinghouse_queue_waiting", "core.outboxitem") == 0
    assert 1_800 <= measured("countinghouse_queue_overdue_seconds", "core.outboxitem") < 1_860


def test_what_waits_for_a_person_is_counted_until_it_is_dismissed() -> None:
    assert measured("countinghouse_parked", "core.outboxitem") == 0
    enqueue("parked", ago=HOUR, status="parked", finished_at=clock.real_now())
    assert measured("countinghouse_parked", "core.outboxitem") == 1
    OutboxItem.objects.update(dismissed_at=clock.real_now())
    assert measured("countinghouse_parked", "core.outboxitem") == 0
    assert measured("countinghouse_parked", "payments.webhookevent") == 0


def name_ourselves(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [name])
        # A transaction sees the activity as it was when it first looked, unless it forgets that.
        cursor.execute("SELECT pg_stat_clear_snapshot()")


def test_connections_are_counted_by_who_holds_them() -> None:
    name_ourselves("countinghouse-made-up")
    assert measured("countinghouse_database_connections", "countinghouse-made-up") == 1
    name_ourselves("somebody's shell")
    others = measured("countinghouse_database_connections", "other")
    text = backlog_metrics().decode()
    assert "made-up" not in text
    assert "shell" not in text
    [allowed] = re.findall(r"^countinghouse_database_connections_allowed (\S+)$", text, re.MULTILINE)
    assert 1 <= others < float(allowed)


def test_differences_are_those_of_the_last_look_at_the_books() -> None:
    assert measured("countinghouse_books_differences", "entries") == 0
    assert measured("countinghouse_books_differences", "sums") == 0
    for days, faults in ((2, []), (1, ["a burn is missing", "a rollup differs"])):
        BooksCheck.objects.create(checked_at=NOW - timedelta(days=days), faults=faults)
    for days, faults in ((2, ["granted differs"]), (1, [])):
        day = (NOW - timedelta(days=days)).date()
        PlatformBooks.objects.create(day=day, taken_at=NOW, accounts=1, faults=faults)
    assert measured("countinghouse_books_differences", "entries") == 2
    assert measured("countinghouse_books_differences", "sums") == 0
    PlatformBooks.objects.filter(faults=[]).delete()
    assert measured("countinghouse_books_differences", "sums") == 1


CASES: list[tuple[str, dict[int, JobRunStatus], timedelta]] = [
    ("never ran", {}, timedelta(0)),
    ("in time", {10: JobRunStatus.SUCCEEDED}, timedelta(0)),
    ("the last is not done yet", {9: JobRunStatus.SUCCEEDED, 10: JobRunStatus.FAILED}, timedelta(minutes=7)),
    ("none since three hours", {7: JobRunStatus.SUCCEEDED}, timedelta(hours=2, minutes=7)),
    ("fails since", {7: JobRunStatus.SUCCEEDED, 8: JobRunStatus.FAILED, 9: JobRunStatus.FAILED},
     timedelta(hours=2, minutes=7)),
    ("was never done", {6: JobRunStatus.FAILED, 10: JobRunStatus.FAILED}, timedelta(hours=4, minutes=7)),
]  # fmt: skip


@pytest.mark.parametrize(("runs", "late"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_job_is_late_since_the_slot_after_its_last_success(runs: dict[int, JobRunStatus], late: timedelta) -> None:
    for hour, status in runs.items():
        slot = NOW.replace(hour=hour, minute=0)
        JobRun.objects.create(
            name=HOURLY.name, slot=slot_name(slot), slot_at=slot, status=status, trigger=JobTrigger.SCHEDULE,
            actor_label="scheduler", role=Role.SYSTEM, authorization_source=AuthorizationSource.SCHEDULER,
            request_id="r", created_at=slot, finished_at=slot,
        )  # fmt: skip
    with clock.as_of(NOW):
        assert lateness(HOURLY) == late


def test_the_other_metrics_are_answered_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def be_away(self: Queue[OutboxItem], most: int) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(Queue, "backlog", be_away)
    answer = Client().get("/metrics", REMOTE_ADDR="127.0.0.1")
    assert answer.status_code == 200
    assert b"django_http_requests" in answer.content
    assert b"countinghouse_queue" not in answer.content


def test_a_question_of_prometheus_asks_little() -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        backlog_metrics()
    assert len(asked) <= 3 * len(QUEUES) + 2 * len(jobs()) + 5
