"""Beat's schedule, in UTC (spec 08, Celery). Each job declares its cadence (`apps.core.jobs`), and nothing else does.

Beat only sends wake-ups: which slots are due is computed from the database, and the sweep fires what a wake-up missed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler
from celery.schedules import crontab

from apps.core.jobs import Cadence, jobs

_HOUR, _DAY = 60, 24 * 60


class Scheduler(PersistentScheduler):  # type: ignore[misc] # Celery has no types
    """Reads the declared jobs when beat starts: the settings are made before any app is loaded."""

    def setup_schedule(self) -> None:
        self.app.conf.beat_schedule = beat_schedule()
        super().setup_schedule()


def beat_schedule() -> dict[str, dict[str, Any]]:
    """One entry a job, and the sweep every minute."""
    # After a minute the sweep has done what the message was for.
    options = {"expires": 60}
    entries = {"sweep-jobs": {"task": "core.sweep_jobs", "schedule": crontab(), "options": options}}
    for job in jobs():
        schedule = crontab_of(job.cadence)
        entries[job.name] = {"task": "core.fire_job", "schedule": schedule, "args": [job.name], "options": options}
    return entries


def crontab_of(cadence: Cadence) -> crontab:
    """The crontab that fires at the slots; raises `ValueError` for an interval that no crontab has."""
    every, offset = (int(length / timedelta(minutes=1)) for length in (cadence.every, cadence.offset))
    if _HOUR % every == 0:
        return crontab(minute=f"{offset}-59/{every}")
    if every == _DAY:
        return crontab(hour=offset // _HOUR, minute=offset % _HOUR)
    raise ValueError(f"Beat has no crontab for every {every} minutes; use a divisor of an hour, or a day.")
