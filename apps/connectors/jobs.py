"""The jobs of connectors: the hourly sync and the sweep of lost runs; and the task that carries out runs (spec 06, 08).

The database alone says what is due. A lost message costs only time: the run's lease ends, and the sweep sends it again.
Messages carry lists of runs, never one run each (spec 11, Speed).
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector, RecordAdjustment, SyncRun
from apps.connectors.rules.months import MonthDecision, floor_hour, next_reading, select_months
from apps.connectors.selectors.connectors import connectors
from apps.connectors.services.lifecycle import START_TASK
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.guards import OPERATION
from apps.connectors.sync.queue import QUEUE_LEASE, RUN_TASK, SYNC_RUNS, insert_runs, make_run, month_facts
from apps.core import clock
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import RequestId, WorkspaceId
from apps.core.jobs import job
from apps.core.operations import require
from apps.core.retention import PURGE_HISTORY, Retention, delete_portions, keep_for
from apps.core.wakeups import send_wakeup, wake_after_commit
from apps.subscriptions.selectors.lifecycle import workspace_lifecycles

CONNECTORS_AT_ONCE = 200
RUNS_A_TASK = 300
_SWEPT_AT_ONCE = 3_000
_EVERY = timedelta(hours=1)
# Well below the time limit of a task: then the rest is the next task's.
_BUDGET = timedelta(seconds=150)


@job("billing-sync", operation="jobs.billing_sync", every=timedelta(hours=1))
def billing_sync(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Queue the due months of every due connector. A missed hour is skipped: the next one finds the same months due."""
    return syncs_schedule(context, organization_id=organization_id, include_demo=include_demo)


@job("sweep-syncs", operation="jobs.sweep_syncs", every=timedelta(minutes=1), max_attempts=1)
def sweep_syncs(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Hand out the runs whose message was lost, whose wait is over or whose worker died, of every organization."""
    return syncs_sweep(context)


def syncs_schedule(
    context: ExecutionContext, *, organization_id: UUID | None = None, include_demo: bool = False
) -> dict[str, int]:
    """Queue a run for every month that the schedule reads now, of every connector that is due; returns counts.

    A connector whose workspace may not sync now is passed over, and asked again in the next hour. Carried out again
    after a death it queues what is left: a month has one active run. Raises `ForbiddenError`.
    """
    require(context, OPERATION)
    now = clock.now()
    counts = {"connectors": 0, "runs": 0, "lists": 0, "not_allowed": 0}
    for batch in _due_connectors(now, organization_id, include_demo=include_demo):
        allowed = _filter_allowed(batch)
        counts["connectors"] += len(allowed)
        counts["not_allowed"] += len(batch) - len(allowed)
        queued, lists = _queue(context, batch, allowed, now)
        counts["runs"] += queued
        counts["lists"] += lists
    return counts


def syncs_sweep(context: ExecutionContext) -> dict[str, int]:
    """Send the runs again whose message was lost, whose wait is over or whose worker died."""
    require(context, OPERATION)
    now = clock.real_now()
    stranded = SYNC_RUNS.overdue().order_by("lease_expires_at", "pk")
    run_ids = list(stranded.values_list("pk", flat=True)[:_SWEPT_AT_ONCE])
    # Where workers are behind, the same runs are not sent again every minute. A run that has begun keeps its lease:
    # that it is over is what lets another worker take it.
    SyncRun.objects.filter(pk__in=run_ids, status=SyncStatus.QUEUED, claims=0, lease_expires_at__lte=now).update(
        lease_expires_at=now + QUEUE_LEASE
    )
    sent = 0
    for chunk in _chunk(run_ids):
        if not send_wakeup(RUN_TASK, ",".join(map(str, chunk))):
            break  # the broker is away: a later sweep sends them all
        sent += len(chunk)
    return {"stranded": len(run_ids), "handed_out": sent}


def _due_connectors(now: datetime, organization_id: UUID | None, *, include_demo: bool) -> Iterator[list[Connector]]:
    """The due connectors in lists, in the order of their ids: constant memory, and each is met once."""
    rows = Connector.objects.filter(
        Q(next_due_at__lte=now) | Q(next_due_at__isnull=True), status=ConnectorStatus.ENABLED
    ).select_related("workspace__organization")
    if organization_id is not None:
        rows = rows.filter(workspace__organization=organization_id)
    if not include_demo:
        rows = rows.filter(workspace__organization__is_demo=False)
    last: UUID | None = None
    while True:
        following = rows.filter(pk__gt=last) if last is not None else rows
        batch = list(following.order_by("pk")[:CONNECTORS_AT_ONCE])
        if not batch:
            return
        yield batch
        last = batch[-1].pk


def _filter_allowed(batch: Sequence[Connector]) -> list[Connector]:
    decisions = workspace_lifecycles({WorkspaceId(connector.workspace_id) for connector in batch})
    return [
        connector
        for connector in batch
        if decisions[WorkspaceId(connector.workspace_id)].operations().get(OPERATION, False)
    ]


def syncs_start(context: ExecutionContext, connector_id: ConnectorId) -> int:
    """Queue every month of a connector that is not final, whenever it was read; returns how many.

    For a connector that was just made, enabled or moved. One that may not sync now waits for the next hour.
    """
    require(context, OPERATION)
    now = clock.now()
    batch = list(connectors().filter(pk=connector_id, status=ConnectorStatus.ENABLED))
    queued, _ = _queue(context, batch, _filter_allowed(batch), now, is_everything=True)
    return queued


@transaction.atomic
def _queue(
    context: ExecutionContext,
    batch: Sequence[Connector],
    allowed: Sequence[Connector],
    now: datetime,
    *,
    is_everything: bool = False,
) -> tuple[int, int]:
    facts = month_facts(allowed)
    runs: list[SyncRun] = []
    # To the whole hour, so that a firing a minute late makes the next one no later.
    next_hour = floor_hour(now) + _EVERY
    due_next = defaultdict[datetime, list[UUID]](list)
    for connector in batch:
        decisions = select_months(facts[connector.pk], now) if connector.pk in facts else []
        chosen = [decision for decision in decisions if _is_read_now(decision, now, is_everything=is_everything)]
        runs += [make_run(context, connector, decision) for decision in chosen]
        due_next[next_reading(decisions, now) if decisions and not chosen else next_hour].append(connector.pk)
    made = insert_runs(runs)
    for next_due_at, connector_ids in due_next.items():
        Connector.objects.filter(pk__in=connector_ids).update(next_due_at=next_due_at)
    lists = list(_chunk([run.pk for run in runs if run.pk in made]))
    for chunk in lists:
        wake_after_commit(RUN_TASK, ",".join(map(str, chunk)))
    return len(made), len(lists)


def _is_read_now(decision: MonthDecision, now: datetime, *, is_everything: bool) -> bool:
    if not decision.is_due or decision.next_at is None:
        return False
    return is_everything or decision.next_at <= now


def _chunk(run_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(run_ids), RUNS_A_TASK):
        yield run_ids[start : start + RUNS_A_TASK]


def _old_runs(before: datetime) -> QuerySet[SyncRun]:
    """But for the last success of each connector, and runs that changed a final month, to which their changes point."""
    newer = SyncRun.objects.filter(
        connector=OuterRef("connector"), status=SyncStatus.SUCCEEDED, finished_at__gt=OuterRef("finished_at")
    )
    is_last_success = Q(status=SyncStatus.SUCCEEDED) & ~Exists(newer)
    old = SyncRun.objects.filter(created_at__lt=before, finished_at__isnull=False).exclude(is_last_success)
    return old.exclude(Exists(RecordAdjustment.objects.filter(run=OuterRef("pk")))).order_by("created_at")


keep_for(
    Retention(
        "sync_runs",
        PURGE_HISTORY,
        "KEEP_SYNC_RUNS_DAYS",
        SyncRun,
        portions=lambda before: delete_portions(_old_runs(before)),
        due=_old_runs,
    )
)


@shared_task(name=RUN_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
def run_syncs(run_ids: str) -> None:
    """Carry out the runs of the list, one after the other, except those that are over or another worker's."""
    until, waiting = clock.real_now() + _BUDGET, run_ids.split(",")
    for place, run_id in enumerate(waiting):
        sync_run_execute(SyncRunId(UUID(run_id)), until=until)
        if clock.real_now() >= until:
            # This one too, which may have been handed back; those that are over are passed over.
            send_wakeup(RUN_TASK, ",".join(waiting[place:]))
            return


@shared_task(name=START_TASK)  # type: ignore[untyped-decorator]
def start_syncs(connector_id: str) -> None:
    """Read a connector for the first time, or anew. Where this message is lost, the next hour does it."""
    request_id = RequestId(f"start-{uuid.uuid4().hex}")
    context = system_context(AuthorizationSource.SCHEDULER, name="sync", request_id=request_id)
    syncs_start(context, ConnectorId(UUID(connector_id)))
