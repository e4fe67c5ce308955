"""Celery tasks of the core. They take names and ids alone; every fact is read from the database when they run."""

from __future__ import annotations

import uuid
from uuid import UUID

from celery import shared_task

from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import JobRunId, RequestId
from apps.core.jobs.registry import job_of
from apps.core.jobs.runner import job_run_execute, jobs_sweep
from apps.core.jobs.services import RUN_TASK, job_fire
from apps.core.outbox.services import DRAIN_TASK
from apps.core.outbox.worker import outbox_drain


@shared_task(name=DRAIN_TASK)  # type: ignore[untyped-decorator]
def drain_outbox() -> None:
    """Carry out what is due in the outbox: the quick path after a commit."""
    outbox_drain(_context("outbox"))


@shared_task(name="core.fire_job")  # type: ignore[untyped-decorator]
def fire_job(name: str) -> None:
    """Make the due runs of one job. A name of an older release that is no longer known is passed over."""
    definition = job_of(name)
    if definition is not None:
        job_fire(_context("beat"), definition)


@shared_task(name="core.sweep_jobs")  # type: ignore[untyped-decorator]
def sweep_jobs() -> None:
    """Fire what is due and recover what was lost."""
    jobs_sweep(_context("sweep"))


@shared_task(name=RUN_TASK)  # type: ignore[untyped-decorator]
def run_job(run_id: str) -> None:
    """Carry out one run, unless it is over or another worker's."""
    job_run_execute(JobRunId(UUID(run_id)))


def _context(name: str) -> ExecutionContext:
    return system_context(AuthorizationSource.SCHEDULER, name=name, request_id=RequestId(f"{name}-{uuid.uuid4().hex}"))
