"""Job runs: made by the schedule or by hand, carried out under a lease, and swept.

A worker renews the lease of its run (`apps.core.leases`). When the lease ends, the sweep hands the run to another.
Tasks take names and ids alone; every fact is read from the database when they run.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.db.models import Max

from apps.core import clock
from apps.core.audit.services import audit_append
from apps.core.context import ExecutionContext, MachinerySource, system_context
from apps.core.enums import AuthorizationSource
from apps.core.errors import NotFoundError
from apps.core.events import JOB_REQUESTED
from apps.core.failpoints import failpoint
from apps.core.ids import JobRunId, OrganizationId, RequestId
from apps.core.jobs.demo import SKIPPED_DEMO, is_demo
from apps.core.jobs.registry import JobDefinition, due_slots, job_of, jobs, slot_name
from apps.core.leases import Queue, error_text
from apps.core.models import JobRun
from apps.core.operations import require
from apps.core.states import JobRunStatus, JobTrigger
from apps.core.unavailability import end_if_interrupted
from apps.core.wakeups import send_wakeup, wake_after_commit

logger = logging.getLogger(__name__)

RUN_TASK = "core.run_job"
# How long a run may stay queued before the sweep sends it again.
QUEUE_LEASE = timedelta(seconds=60)

_TRIGGERS = {
    AuthorizationSource.SCHEDULER: JobTrigger.SCHEDULE,
    AuthorizationSource.CRON_TOKEN: JobTrigger.CRON,
    AuthorizationSource.CONSOLE: JobTrigger.CONSOLE,
}
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


def job_run_request(
    context: ExecutionContext,
    *,
    name: str,
    organization_id: OrganizationId | None = None,
    include_demo: bool = False,
    reason: str = "",
) -> JobRun:
    """Queue one run of the job by hand: for a cron token, a person or the console. Audited.

    A run for a demo organization without `include_demo` is over at once: `skipped`, with the reason in `error`.
    Raises `NotFoundError` for an unknown job, `ForbiddenError` when the context does not reach the job's gate.
    """
    definition = job_of(name)
    if definition is None:
        raise NotFoundError(f"There is no job {name!r}. There are: {', '.join(known.name for known in jobs())}.")
    require(context, definition.operation)
    organization_id = organization_id or context.organization_id
    with transaction.atomic():
        run = _run_by_hand(context, definition, organization_id, include_demo=include_demo)
        audit_append(
            context,
            JOB_REQUESTED,
            run.audit_target,
            after={"name": name, "include_demo": include_demo, "trigger": run.trigger},
            reason=reason,
        )
        # The console carries it out itself, in its own process.
        if run.status == JobRunStatus.QUEUED and context.authorization_source is not AuthorizationSource.CONSOLE:
            wake_after_commit(RUN_TASK, str(run.pk), job=run.name)
    return run


def _run_by_hand(
    context: ExecutionContext, definition: JobDefinition, organization_id: UUID | None, *, include_demo: bool
) -> JobRun:
    slot = f"manual:{uuid.uuid4()}"
    run = _new_run(context, definition, slot=slot, organization_id=organization_id, include_demo=include_demo)
    if organization_id is not None and not include_demo and is_demo(organization_id):
        _skip(run, SKIPPED_DEMO)
    run.save(force_insert=True)
    return run


def job_fire(context: ExecutionContext, definition: JobDefinition) -> list[JobRun]:
    """Make the runs of every slot that is due now; returns those that this call made.

    Two beats, a repeated delivery or a sweep at the same time make each run once: name and slot are unique.
    """
    now = clock.now()
    last = JobRun.objects.filter(name=definition.name).aggregate(last=Max("slot_at"))["last"]
    fired = []
    for slot in due_slots(definition.cadence, catch_up=definition.catch_up, last=last, now=now):
        run = _fire_slot(context, definition, slot)
        if run is not None:
            fired.append(run)
    return fired


def _fire_slot(context: ExecutionContext, definition: JobDefinition, slot: datetime) -> JobRun | None:
    run = _new_run(context, definition, slot=slot_name(slot), slot_at=slot)
    with transaction.atomic():
        if definition.catch_up == 0 and _is_still_busy(definition.name, slot):
            _skip(run, "The run before this one was still going.")
        JobRun.objects.bulk_create([run], ignore_conflicts=True)
        is_ours = JobRun.objects.filter(pk=run.pk).exists()
        if is_ours and run.status == JobRunStatus.QUEUED:
            wake_after_commit(RUN_TASK, str(run.pk), job=run.name)
    failpoint("jobs.after_create")
    return run if is_ours else None


def job_slot_run(context: ExecutionContext, definition: JobDefinition, slot: datetime) -> JobRun | None:
    """Make and carry out the run of one slot in this process, and wake no worker; None where it was run before."""
    run = _new_run(context, definition, slot=slot_name(slot), slot_at=slot)
    JobRun.objects.bulk_create([run], ignore_conflicts=True)
    return job_run_execute(JobRunId(run.pk)) if JobRun.objects.filter(pk=run.pk).exists() else None


def _is_still_busy(name: str, slot: datetime) -> bool:
    """Whether an earlier slot of a job that skips is queued or running: then this one would only pile up behind it."""
    open_states = [JobRunStatus.QUEUED, JobRunStatus.RUNNING]
    return JobRun.objects.filter(name=name, status__in=open_states, slot_at__lt=slot).exists()


def _skip(run: JobRun, reason: str) -> None:
    run.status, run.error = JobRunStatus.SKIPPED, reason
    run.lease_expires_at, run.finished_at = None, run.created_at


def _new_run(
    context: ExecutionContext,
    definition: JobDefinition,
    *,
    slot: str,
    slot_at: datetime | None = None,
    organization_id: UUID | None = None,
    include_demo: bool = False,
) -> JobRun:
    now = clock.now()
    by_hand = _TRIGGERS.get(context.authorization_source, JobTrigger.USER)
    return JobRun(
        name=definition.name,
        slot=slot,
        slot_at=slot_at,
        trigger=JobTrigger.SCHEDULE if slot_at is not None else by_hand,
        actor_label=context.actor.label,
        role=context.role,
        authorization_source=context.authorization_source,
        request_id=context.request_id,
        organization_id=organization_id,
        include_demo=include_demo,
        lease_expires_at=clock.real_now() + QUEUE_LEASE,
        created_at=now,
    )


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
    again_at = clock.real_now() + QUEUE_LEASE * 2 ** (run.attempts - 1)
    JOB_RUNS.release(run, JobRunStatus.QUEUED, lease_expires_at=again_at, error=message)


def _finish(run: JobRun, status: JobRunStatus, *, counts: dict[str, Any] | None = None, error: str = "") -> None:
    JOB_RUNS.release(run, status, counts=counts or {}, error=error, finished_at=clock.now())


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
