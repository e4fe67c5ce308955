"""Making job runs: by the schedule, and by hand."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.core import clock
from apps.core.audit.services import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource
from apps.core.errors import NotFoundError
from apps.core.events import JOB_REQUESTED
from apps.core.failpoints import failpoint
from apps.core.ids import OrganizationId
from apps.core.jobs.demo import SKIPPED_DEMO, is_demo
from apps.core.jobs.registry import JobDefinition, job_of, jobs
from apps.core.jobs.slots import due_slots, slot_name
from apps.core.models import JobRun
from apps.core.operations import require
from apps.core.states import JobRunStatus, JobTrigger
from apps.core.wakeups import wake_after_commit

RUN_TASK = "core.run_job"
# How long a run may stay queued before the sweep sends it again.
QUEUE_LEASE = timedelta(seconds=60)

_TRIGGERS = {
    AuthorizationSource.SCHEDULER: JobTrigger.SCHEDULE,
    AuthorizationSource.CRON_TOKEN: JobTrigger.CRON,
    AuthorizationSource.CONSOLE: JobTrigger.CONSOLE,
}


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
        lease_expires_at=now + QUEUE_LEASE,
        created_at=now,
    )
