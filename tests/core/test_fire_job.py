"""Firing: one run a slot, whoever fires and however often; a sweep recovers what an outage left (spec 08, Celery)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, transaction
from kombu.exceptions import OperationalError

from apps.core import clock
from apps.core.ids import JobRunId
from apps.core.jobs.registry import job, job_of
from apps.core.jobs.runs import fire_job, job_fire, job_run_execute, jobs_sweep, run_job, sweep_jobs
from apps.core.models import JobRun
from apps.core.registry import RegistryError
from tests.contexts import console_context
from tests.core.jobs import CATCHING_UP, SKIPPING, Runs, declared
from tests.core.outbox import effects, leave_effect
from tests.core.processes import dies_at
from tests.core.threads import at_once
from tests.sizes import size

Wakeups = list[tuple[str, tuple[str, ...]]]
NOON = datetime(2026, 4, 3, 12, 0, 30, tzinfo=UTC)
FIRINGS = size(small=20, full=1_000)


@pytest.fixture
def runs(transactional_db: None, wakeups: Wakeups, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    found = Runs()
    with declared(found, monkeypatch):
        yield found


@pytest.fixture
def at_noon() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def fire(name: str) -> list[str]:
    definition = job_of(name)
    assert definition is not None
    return [run.slot for run in job_fire(console_context(), definition)]


def work_off(wakeups: Wakeups) -> None:
    """What a worker does with the messages."""
    while wakeups:
        name, arguments = wakeups.pop(0)
        assert name == "core.run_job"
        run_job(*arguments)


def test_a_slot_is_fired_once(runs: Runs, wakeups: Wakeups, at_noon: Any) -> None:
    assert fire(CATCHING_UP) == ["2026-04-03T11:05:00Z"]
    assert fire(CATCHING_UP) == []
    work_off(wakeups)
    assert runs.slots == [datetime(2026, 4, 3, 11, 5, tzinfo=UTC)]
    run = JobRun.objects.get()
    assert (run.status, run.trigger, run.counts, run.attempts) == ("succeeded", "schedule", {"things": 3}, 1)
    assert (run.started_at, run.finished_at, run.lease_expires_at) == (NOON, NOON, None)


@pytest.mark.prove("P3 two beats fire each slot once", size=FIRINGS, control="look, then insert: a slot runs twice")
def test_two_beats_with_many_threads_fire_and_run_each_slot_once(
    runs: Runs, wakeups: Wakeups, effect_table: None
) -> None:
    """J3: 2 beats with 4 threads each, every message delivered three times over to 8 workers."""
    runs.act = lambda: leave_effect("ran") or {}  # type: ignore[func-returns-value]
    for number in range(FIRINGS):
        with time_machine.travel(NOON + timedelta(minutes=number), tick=False):
            at_once(8, lambda _: fire_job(SKIPPING))
            deliveries = [arguments[0] for _, arguments in wakeups] * 3
            assert len(deliveries) == 3
            wakeups.clear()
            at_once(8, lambda _, ids=deliveries: [run_job(run_id) for run_id in ids])  # type: ignore[misc]
    assert len(effects()) == FIRINGS
    assert set(JobRun.objects.values_list("status", "attempts")) == {("succeeded", 1)}
    assert JobRun.objects.count() == FIRINGS


def test_control_looking_before_inserting_runs_a_slot_twice(effect_table: None) -> None:
    """Without the unique slot two beats both find nothing and both run: the test above must be able to notice."""
    both_looked = Barrier(2)

    def naive_fire(_: int) -> None:
        if "slot" not in effects():
            both_looked.wait(30)
            leave_effect("slot")

    at_once(2, naive_fire)
    assert effects() == ["slot", "slot"]


def test_missed_slots_are_caught_up_oldest_first_or_skipped(runs: Runs, wakeups: Wakeups, at_noon: Any) -> None:
    sweep_jobs()
    work_off(wakeups)
    runs.slots.clear()
    at_noon.shift(timedelta(hours=5))
    sweeps = 0
    while sweep_and_count(wakeups):
        sweeps += 1
    hourly = [datetime(2026, 4, 3, hour, 5, tzinfo=UTC) for hour in (12, 13, 14, 15, 16)]
    assert [slot for slot in runs.slots if slot.minute == 5] == hourly
    assert [slot for slot in runs.slots if slot.minute != 5] == [datetime(2026, 4, 3, 17, 0, tzinfo=UTC)]
    assert sweeps == 2


def sweep_and_count(wakeups: Wakeups) -> int:
    sweep_jobs()
    count = len(wakeups)
    work_off(wakeups)
    return count


def test_a_job_that_skips_does_not_pile_up_behind_a_run_that_goes_on(
    runs: Runs, wakeups: Wakeups, at_noon: Any
) -> None:
    fire(SKIPPING)
    at_noon.shift(timedelta(minutes=1))
    assert fire(SKIPPING) == ["2026-04-03T12:01:00Z"]
    skipped = JobRun.objects.get(slot="2026-04-03T12:01:00Z")
    assert (skipped.status, skipped.error) == ("skipped", "The run before this one was still going.")
    assert job_run_execute(JobRunId(skipped.pk)) is None
    work_off(wakeups)
    assert len(runs.slots) == 1


def test_a_lost_message_is_sent_again_by_the_sweep(runs: Runs, wakeups: Wakeups, at_noon: Any) -> None:
    fire(SKIPPING)
    wakeups.clear()
    at_noon.shift(timedelta(minutes=2))
    assert len(jobs_sweep(console_context())) == 1
    work_off(wakeups)
    assert JobRun.objects.filter(slot="2026-04-03T12:00:00Z", status="succeeded").exists()


def test_a_beat_killed_after_firing_is_made_up_for_by_the_sweep(runs: Runs, wakeups: Wakeups, at_noon: Any) -> None:
    assert dies_at("jobs.after_create", lambda: fire(CATCHING_UP))
    assert (JobRun.objects.get().status, wakeups) == ("queued", [])
    at_noon.shift(timedelta(minutes=2))
    sweep_and_count(wakeups)
    assert JobRun.objects.get(name=CATCHING_UP).status == "succeeded"


def test_without_a_broker_the_work_waits(
    runs: Runs, wakeups: Wakeups, at_noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("The broker is away.")

    with monkeypatch.context() as away:
        away.setattr("apps.core.wakeups.current_app.send_task", refuse)
        sweep_jobs()
        at_noon.shift(timedelta(minutes=2))
        sweep_jobs()
    assert runs.slots == []
    at_noon.shift(timedelta(minutes=2))
    sweep_and_count(wakeups)
    assert {slot.minute for slot in runs.slots} >= {0, 5}


def test_a_dead_worker_is_replaced_after_its_lease_and_writes_nothing_later(
    runs: Runs, wakeups: Wakeups, at_noon: Any
) -> None:
    fire(CATCHING_UP)
    (run_id,) = [arguments[0] for _, arguments in wakeups]

    def late() -> dict[str, int]:
        runs.act = lambda: {"things": 1}
        assert job_run_execute(JobRunId(run.pk)) is None, "the lease still holds"
        at_noon.shift(timedelta(seconds=61))
        assert jobs_sweep(console_context()) == [run.pk]
        assert at_once(1, lambda _: run_job(run_id)) == [None]
        return {"things": 99}

    run = JobRun.objects.get()
    runs.act = late
    run_job(run_id)
    run.refresh_from_db()
    assert (run.status, run.attempts, run.counts) == ("succeeded", 2, {"things": 1})


def test_a_failure_is_tried_again_later_and_given_up_in_the_end(runs: Runs, wakeups: Wakeups, at_noon: Any) -> None:
    def fail() -> dict[str, int]:
        raise ValueError("sk_live_abc is wrong")

    runs.act = fail
    fire(CATCHING_UP)
    run = JobRun.objects.get()
    for attempt in (1, 2):
        work_off(wakeups)
        run.refresh_from_db()
        assert (run.status, run.attempts, run.error) == ("queued", attempt, "ValueError: [redacted] is wrong")
        assert job_run_execute(JobRunId(run.pk)) is None, "the delay must pass first"
        at_noon.shift(timedelta(seconds=60 * 2 ** (attempt - 1)))
        wakeups.append(("core.run_job", (str(run.pk),)))
    work_off(wakeups)
    run.refresh_from_db()
    assert (run.status, run.attempts, run.finished_at) == ("failed", 3, clock.now())
    assert job_run_execute(JobRunId(run.pk)) is None


def test_a_run_that_kills_its_workers_is_given_up(runs: Runs, wakeups: Wakeups, at_noon: Any) -> None:
    fire(CATCHING_UP)
    JobRun.objects.update(status="running", attempts=3, lease_expires_at=NOON)
    work_off(wakeups)
    run = JobRun.objects.get()
    assert (run.status, runs.slots) == ("failed", [])
    assert "died during the last of 3 attempts" in run.error


def test_names_of_another_release_do_no_harm(runs: Runs, wakeups: Wakeups) -> None:
    fire_job("long-gone")
    fire(SKIPPING)
    JobRun.objects.update(name="long-gone")
    work_off(wakeups)
    assert JobRun.objects.get().error == "This job is no longer known."


def test_a_job_is_declared_once_with_a_registered_operation() -> None:
    for name, operation in (("drain-outbox", "jobs.drain_outbox"), ("test-new", "jobs.unheard_of")):
        with pytest.raises((RegistryError, ValueError), match=name):
            job(name, operation=operation, every=timedelta(minutes=1))(Runs().run)
    with pytest.raises(ValueError, match="catch-up"):
        job("test-new", operation="jobs.drain_outbox", every=timedelta(minutes=1), catch_up=-1)(Runs().run)


INCOHERENT = [
    {"status": "unheard_of"},
    {"status": "succeeded"},
    {"lease_expires_at": None},
    {"slot_at": None},
    {"trigger": "user"},
]


@pytest.mark.parametrize("values", INCOHERENT, ids=str)
def test_the_database_refuses_incoherent_runs(runs: Runs, values: dict[str, Any]) -> None:
    fire(SKIPPING)
    with pytest.raises(DatabaseError, match="violates check constraint"), transaction.atomic():
        JobRun.objects.update(**values)


def test_the_database_refuses_a_second_run_of_a_slot(runs: Runs) -> None:
    fire(SKIPPING)
    run = JobRun.objects.get()
    run.pk = uuid.uuid4()
    with pytest.raises(DatabaseError, match="job_run_unique"), transaction.atomic():
        run.save(force_insert=True)
