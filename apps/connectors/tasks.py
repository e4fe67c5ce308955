"""Celery tasks of connectors. They take ids alone; every fact is read from the database when they run."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from celery import shared_task

from apps.connectors.ids import SyncRunId
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.queue import RUN_TASK
from apps.core import clock
from apps.core.wakeups import send_wakeup

# Well below the time limit of a task: then the rest is the next task's.
_BUDGET = timedelta(seconds=150)


@shared_task(name=RUN_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
def run_syncs(run_ids: str) -> None:
    """Carry out the runs of the list, one after the other, except those that are over or another worker's."""
    until, waiting = clock.now() + _BUDGET, run_ids.split(",")
    for place, run_id in enumerate(waiting):
        sync_run_execute(SyncRunId(UUID(run_id)), until=until)
        if clock.now() >= until:
            # This one too, which may have been handed back; those that are over are passed over.
            send_wakeup(RUN_TASK, ",".join(waiting[place:]))
            return
