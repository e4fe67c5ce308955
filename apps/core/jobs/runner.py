"""Carrying out job runs, and the sweep that recovers everything from the database.

A run belongs to the worker whose attempt number it bears, as long as that worker renews the lease. When the lease ends
the sweep hands the run to another worker; the one that comes back late finds the number changed and writes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q

from apps.core import clock
from apps.core.audit.secrecy import redact_text
from apps.core.context import ExecutionContext, MachinerySource, system_context
from apps.core.enums import AuthorizationSource
from apps.core.failpoints import failpoint
from apps.core.hints import send_hint
from apps.core.ids import JobRunId, OrganizationId, RequestId
from apps.core.jobs.registry import JobDefinition, job_of, jobs
from apps.core.jobs.services import QUEUE_LEASE, RUN_TASK, job_fire
from apps.core.models import JobRun
from apps.core.states import JobRunStatus, JobTrigger
from apps.core.unavailability import end_if_interrupted

logger = logging.getLogger(__name__)

# A dead worker's run is taken over within this and one sweep.
RUN_LEASE = timedelta(seconds=60)
_HEARTBEAT = RUN_LEASE / 4
_LONGEST_ERROR = 2_000
_SWEPT_AT_ONCE = 200


def job_run_execute(
    run_id: JobRunId, *, source: MachinerySource = AuthorizationSource.SCHEDULER, name: str = ""
) -> JobRun | None:
    """Carry out the run in this process, unless it is over or another worker's; then None.

    It runs as `system`, whoever asked for it (spec 02, "Celery task"). A failure is stored and tried again later, up
    to the job's number of attempts.
    """
    run = _claim(run_id)
    if run is None:
        return None
    failpoint("jobs.after_claim")
    definition = job_of(run.name)
    if definition is None:
        _settle(run, JobRunStatus.FAILED, error="This job is no longer known.")
    elif run.attempts > definition.max_attempts:
        _settle(run, JobRunStatus.FAILED, error=f"The worker died during the last of {run.attempts - 1} attempts.")
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
    """Fire what is due and hint at what lies about: queued runs whose message was lost, runs whose worker died.

    Everything comes from the database, so that one sweep after any outage is enough to get going again.
    """
    for definition in jobs():
        job_fire(context, definition)
    now = clock.now()
    open_states = [JobRunStatus.QUEUED, JobRunStatus.RUNNING]
    stranded = JobRun.objects.filter(status__in=open_states, lease_expires_at__lte=now).order_by("created_at")
    found = [(JobRunId(run_id), name) for run_id, name in stranded.values_list("pk", "name")[:_SWEPT_AT_ONCE]]
    for run_id, name in found:
        if not send_hint(RUN_TASK, str(run_id), job=name):
            break  # the broker is away: the next sweep sends them all
    return [run_id for run_id, _ in found]


def _claim(run_id: JobRunId) -> JobRun | None:
    """Take the run if it is queued, or if its worker died. One conditional update: the loser of a race leaves."""
    now = clock.now()
    # A failed run that waits for its next attempt is queued, with a lease that ends when it may start.
    is_free = Q(status=JobRunStatus.QUEUED, attempts=0) | Q(
        status__in=[JobRunStatus.QUEUED, JobRunStatus.RUNNING], lease_expires_at__lte=now
    )
    claimed = JobRun.objects.filter(is_free, pk=run_id).update(
        status=JobRunStatus.RUNNING, attempts=F("attempts") + 1, lease_expires_at=now + RUN_LEASE, started_at=now
    )
    return JobRun.objects.get(pk=run_id) if claimed else None


def _run(context: ExecutionContext, definition: JobDefinition, run: JobRun) -> None:
    try:
        with _heartbeat(run):
            counts = definition.run(
                context,
                slot=run.slot_at or run.created_at,
                organization_id=run.organization_id,
                include_demo=run.include_demo,
            )
        failpoint("jobs.after_run")
        _settle(run, JobRunStatus.SUCCEEDED, counts=counts)
    except Exception as error:
        # Whatever a job raises belongs on its run.
        logger.warning("job_failed", exc_info=True, extra={"job": run.name, "job_run_id": str(run.pk)})
        _fail(definition, run, error)
        end_if_interrupted(error)


def _fail(definition: JobDefinition, run: JobRun, error: Exception) -> None:
    message = redact_text(f"{type(error).__name__}: {error}").replace("\x00", "")[:_LONGEST_ERROR]
    # Whoever typed the command sees the error and decides; no worker repeats it behind their back.
    if run.attempts >= definition.max_attempts or run.trigger == JobTrigger.CONSOLE:
        _settle(run, JobRunStatus.FAILED, error=message)
        return
    again_at = clock.now() + QUEUE_LEASE * 2 ** (run.attempts - 1)
    _ours(run).update(status=JobRunStatus.QUEUED, lease_expires_at=again_at, error=message)


def _settle(run: JobRun, status: JobRunStatus, *, counts: dict[str, Any] | None = None, error: str = "") -> None:
    _ours(run).update(status=status, counts=counts or {}, error=error, lease_expires_at=None, finished_at=clock.now())


def _ours(run: JobRun) -> Any:
    """The run's row, if it is still this worker's."""
    return JobRun.objects.filter(pk=run.pk, status=JobRunStatus.RUNNING, attempts=run.attempts)


@contextmanager
def _heartbeat(run: JobRun) -> Iterator[None]:
    """Renew the lease while the block runs, from a thread, so that a job need not think of it."""
    is_over = threading.Event()
    thread = threading.Thread(target=_renew, args=(run, is_over), name=f"heartbeat-{run.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _renew(run: JobRun, is_over: threading.Event) -> None:
    while not is_over.wait(_HEARTBEAT.total_seconds()):
        try:
            with transaction.atomic():
                _ours(run).update(lease_expires_at=clock.now() + RUN_LEASE)
        except Exception:
            # A missed beat is made up by the next; the lease is four beats long.
            logger.warning("job_heartbeat_missed", exc_info=True, extra={"job_run_id": str(run.pk)})
        finally:
            connection.close()
