"""Beat wakes each declared job at exactly its slots, in UTC, by tasks that exist (spec 08, Celery)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import current_app
from celery.schedules import crontab
from django.conf import settings

from apps.core.jobs import Cadence, jobs
from apps.core.jobs.registry import JobDefinition
from billing_site.beat import Scheduler, beat_schedule, crontab_of

SCHEDULE = beat_schedule()
MIDNIGHT = datetime(2026, 3, 29, tzinfo=UTC)
MINUTES = [MIDNIGHT + timedelta(minutes=minute) for minute in range(2 * 24 * 60)]


def fires(schedule: crontab, moment: datetime) -> bool:
    return (
        moment.minute in schedule.minute
        and moment.hour in schedule.hour
        and moment.isoweekday() % 7 in schedule.day_of_week
    )


def entries_of(definition: JobDefinition) -> list[crontab]:
    return [entry["schedule"] for entry in SCHEDULE.values() if entry.get("args") == [definition.name]]


@pytest.mark.parametrize("definition", jobs(), ids=lambda definition: definition.name)
def test_each_job_has_one_entry_that_fires_at_its_slots(definition: JobDefinition) -> None:
    (schedule,) = entries_of(definition)
    woken = [moment for moment in MINUTES if fires(schedule, moment)]
    assert woken == [moment for moment in MINUTES if definition.cadence.slot_at(moment) == moment]


def test_each_entry_names_a_task_and_a_job_that_exist() -> None:
    names = {definition.name for definition in jobs()}
    for entry in SCHEDULE.values():
        assert entry["task"] in current_app.tasks
        assert set(entry.get("args", [])) <= names
    assert all(fires(SCHEDULE["sweep-jobs"]["schedule"], moment) for moment in MINUTES)


def test_the_beat_process_has_this_schedule(tmp_path: Path) -> None:
    assert f"{Scheduler.__module__}:{Scheduler.__qualname__}" == settings.CELERY_BEAT_SCHEDULER
    scheduler = Scheduler(current_app, schedule_filename=str(tmp_path / "beat"))
    entries = {name: (entry.task, list(entry.args), entry.schedule) for name, entry in scheduler.schedule.items()}
    scheduler.close()
    expected = {name: (entry["task"], entry.get("args", []), entry["schedule"]) for name, entry in SCHEDULE.items()}
    assert expected.items() <= entries.items()


def test_an_interval_that_no_crontab_has_is_refused() -> None:
    with pytest.raises(ValueError, match="every 7 minutes"):
        crontab_of(Cadence(timedelta(minutes=7)))


def test_recovery_does_not_wait_for_the_broker() -> None:
    assert (settings.CELERY_TIMEZONE, settings.CELERY_ENABLE_UTC) == ("UTC", True)
    assert settings.CELERY_TASK_ACKS_LATE
    assert settings.CELERY_TASK_REJECT_ON_WORKER_LOST
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    assert options["visibility_timeout"] > settings.CELERY_TASK_TIME_LIMIT
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 30
