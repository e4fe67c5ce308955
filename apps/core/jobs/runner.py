"""Carrying out job runs, and the sweep that recovers everything from the database.

A worker renews the lease of its run (`apps.core.leases`). When the lease ends, the sweep hands the run to another.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from apps.core import clock
from apps.core.context import ExecutionContext, MachinerySource, system_context
from apps.core.enums import AuthorizationSource
from apps.core.failpoints import failpoint
from apps.core.ids import JobRunId, OrganizationId, RequestId
from apps.core.jobs.registry import JobDefinition, job_of, jobs
from apps.core.jobs.services import QUEUE_LEASE, RUN_TASK, job_fire
from apps.core.leases import Queue, error_text
from apps.core.models import JobRun
from apps.core.states import JobRunStatus, JobTrigger
from apps.core.unavailability import end_if_interrupted
from apps.core.wakeups import send_wakeup

logger = logging.getLogger(__name__)

# A dead worker's run is taken over within the lease and one sweep. A failed run that waits for its next attempt is
# queued, with a lease that ends when it may start.
JOB_RUNS = Queue(
    JobRun,
    waiting=JobRunStatus.QUEUED,
    working=JobRunStatus.RUNNING,
    lease=timedelta(seconds=60),
    beat=timedelta(seconds=15),
    starts_at_once=True,
)
_SWEPT_AT_ONCE = 200


def job_run_execute(
    run_id: JobRunId, *, source: MachinerySource = AuthorizationSource.SCHEDULER, name: str = ""
) -> JobRun | None:
    """Carry out the run in this process, unless it is over or another worker's; then None.

    It runs as `system`, whoever asked for it (spec 02, "Celery task"). A failure is stored and tried again later, up
    to the job's number of attempts.
    """
    run = JOB_RUNS.claim_row(run_id, started_at=clock.now())
    if run is None:
        return None
    failpoint("jobs.after_claim")
    definition = job_of(run.name)
    if definition is None:
        _finish(run, JobRunStatus.FAILED, error="This job is no longer known.")
    elif run.attempts > definition.max_attempts:
        _finish(run, JobRunStatus.FAILED, error=f"The worker died during the last of {run.attempts - 1} attempts.")
    else:
        context = system_context(
            source,
            name=name or run.name,
            request_id=RequestId(run.request_id),
            organization_id=OrganizationId(run.organization_id) if run.organization_id else None,
            started_by=AuthorizationSource(run.authorization_source),
        )
        _run(context, definition, run)
    failpoint("jobs.after_finish")
    run.refresh_from_db()
    return run


def jobs_sweep(context: ExecutionContext) -> list[JobRunId]:
    """Fire what is due, and wake workers for queued runs whose message was lost and for runs whose worker died.

    Everything comes from the database, so that one sweep after any outage is enough to get going again.
    """
    for definition in jobs():
        job_fire(context, definition)
    stranded = JOB_RUNS.overdue().order_by("created_at")
    found = [(JobRunId(run_id), name) for run_id, name in stranded.values_list("pk", "name")[:_SWEPT_AT_ONCE]]
    for run_id, name in found:
        if not send_wakeup(RUN_TASK, str(run_id), job=name):
            break  # the broker is away: the next sweep sends them all
    return [run_id for run_id, _ in found]


def _run(context: ExecutionContext, definition: JobDefinition, run: JobRun) -> None:
    try:
        with JOB_RUNS.keep(run):
            counts = definition.run(
                context,
                slot=run.slot_at or run.created_at,
                organization_id=run.organization_id,
                include_demo=run.include_demo,
            )
        failpoint("jobs.after_run")
        _finish(run, JobRunStatus.SUCCEEDED, counts=counts)
    except Exception as error:
        # Whatever a job raises belongs on its run.
        logger.warning("job_failed", exc_info=True, extra={"job": run.name, "job_run_id": str(run.pk)})
        _fail(definition, run, error)
        end_if_interrupted(error)


def _fail(definition: JobDefinition, run: JobRun, error: Exception) -> None:
    message = error_text(f"{type(error).__name__}: {error}")
    # Whoever typed the command sees the error and decides; no worker repeats it behind their back.
    if run.attempts >= definition.max_attempts or run.trigger == JobTrigger.CONSOLE:
        _finish(run, JobRunStatus.FAILED, error=message)
        return
    again_at = clock.now() + QUEUE_LEASE * 2 ** (run.attempts - 1)
    JOB_RUNS.release(run, JobRunStatus.QUEUED, lease_expires_at=again_at, error=message)


def _finish(run: JobRun, status: JobRunStatus, *, counts: dict[str, Any] | None = None, error: str = "") -> None:
    JOB_RUNS.release(run, status, counts=counts or {}, error=error, finished_at=clock.now())
