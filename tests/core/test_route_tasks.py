"""Each task and each job has a queue, and each queue has processes of its own (spec 14, Topology)."""

from __future__ import annotations

import pytest
from celery import current_app
from django.conf import settings

from apps.core.jobs import jobs
from apps.core.jobs.runs import RUN_TASK
from billing_site import queues
from billing_site.launcher.children import programs


def own_tasks() -> set[str]:
    current_app.loader.import_default_modules()
    return {name for name in current_app.tasks if not name.startswith("celery.")}


def test_every_task_has_a_queue_and_no_route_is_left_over() -> None:
    assert own_tasks() == set(queues.TASKS)
    assert set(queues.TASKS.values()) <= set(queues.QUEUES)


def test_every_job_has_a_queue_and_no_route_is_left_over() -> None:
    assert {definition.name for definition in jobs()} == set(queues.JOBS)
    assert set(queues.JOBS.values()) <= set(queues.QUEUES)


def test_celery_sends_each_task_where_the_table_says() -> None:
    for name, queue in queues.TASKS.items():
        assert current_app.amqp.router.route({}, name)["queue"].name == queue


def test_every_queue_is_served_by_one_program_of_the_launcher() -> None:
    served = [queue for worker in queues.WORKERS for queue in worker.queues]
    assert sorted(served) == sorted(queues.QUEUES)
    started = {program.name: program.command for program in programs(8000)}
    for worker in queues.WORKERS:
        assert f"--queues={','.join(worker.queues)}" in started[worker.name]
        assert f"--concurrency={worker.processes}" in started[worker.name]
        assert f"--hostname={worker.name}@%h" in started[worker.name]  # Celery wants a name for each on one machine
        assert worker.processes >= 1


def test_nothing_that_takes_long_shares_processes() -> None:
    """Syncs, reports and a slow provider may hold all the processes that they get."""
    for queue in (queues.SYNCS, queues.REPORTS, queues.OUTBOX):
        assert [worker.queues for worker in queues.WORKERS if queue in worker.queues] == [(queue,)]


def test_what_fires_and_what_runs_each_minute_never_waits_for_syncs_or_reports() -> None:
    slow = {queues.SYNCS, queues.REPORTS}
    assert {queues.TASKS[name] for name in ("core.fire_job", "core.sweep_jobs")} == {queues.CLOCK}
    minutely = [definition.name for definition in jobs() if definition.cadence.every.total_seconds() <= 300]
    assert len(minutely) >= 6
    assert {queues.JOBS[name] for name in minutely}.isdisjoint(slow)


@pytest.mark.parametrize("name", sorted(queues.JOBS))
def test_a_run_of_a_job_is_sent_to_its_queue(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, object]] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, **options: sent.append({"task": task, **options}))
    from apps.core.wakeups import end_silence, send_wakeup  # noqa: PLC0415 - with the sender in its place

    end_silence()
    assert send_wakeup(RUN_TASK, "an id", job=name)
    assert (sent[0]["task"], sent[0]["queue"]) == (RUN_TASK, queues.JOBS[name])


def test_a_report_may_take_longer_than_the_usual_limit() -> None:
    soft, hard = queues.TIME_LIMITS[queues.REPORTS]
    assert settings.CELERY_TASK_TIME_LIMIT < soft < hard
    assert queues.job_route("verify-books") == {"queue": "reports", "soft_time_limit": soft, "time_limit": hard}
    assert queues.job_route("drain-outbox") == {"queue": "outbox"}
