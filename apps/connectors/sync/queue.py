"""The queue of sync runs: which months get one, and cancelling (spec 06, Sync run). A month has one active run."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.connectors import events
from apps.connectors.contracts import Month
from apps.connectors.enums import ConnectorEventKind, SyncStatus, SyncTrigger
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector, MonthState, SyncRun
from apps.connectors.models.syncs import ACTIVE
from apps.connectors.providers.registry import provider_classes
from apps.connectors.rules.months import (
    DEFAULT_LAG,
    MONTHS_BACK,
    MonthDecision,
    MonthFacts,
    MonthNotBegunError,
    MonthReading,
    MonthStatus,
    month_of,
    select_months,
)
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.selectors.syncs import sync_run_for_update, sync_run_of, unknown_sync_run
from apps.connectors.services import connector_note
from apps.connectors.sync.guards import OPERATION, require_may_sync, require_operation
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource
from apps.core.errors import ConflictError, FieldError, UnprocessableError
from apps.core.ids import AuditTarget
from apps.core.leases import Queue
from apps.core.moments import FIRST_YEAR, zone_of
from apps.core.operations import require
from apps.core.wakeups import wake_after_commit

RUN_TASK = "connectors.run_syncs"
SYNC_RUNS = Queue(
    SyncRun,
    waiting=SyncStatus.QUEUED,
    working=SyncStatus.RUNNING,
    lease=timedelta(seconds=60),
    beat=timedelta(seconds=15),
    claims="claims",
    starts_at_once=True,
)
# After this a queued run is handed out again: its message was lost.
QUEUE_LEASE = timedelta(minutes=5)

_TRIGGERS = {
    AuthorizationSource.SCHEDULER: SyncTrigger.SCHEDULE,
    AuthorizationSource.CRON_TOKEN: SyncTrigger.CRON,
    # An operator at the console starts what cron would have started.
    AuthorizationSource.CONSOLE: SyncTrigger.CRON,
    AuthorizationSource.SERVICE_TOKEN: SyncTrigger.API,
}
# Callers from outside, by whose `actor.id` the guard checks before each page what they may still do.
_CHECKED_AGAIN = frozenset(
    {AuthorizationSource.SESSION, AuthorizationSource.SERVICE_TOKEN, AuthorizationSource.CRON_TOKEN}
)


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """The run of a requested month; `is_new` is False where the month was being synced already."""

    run: SyncRun
    is_new: bool


def sync_request(
    context: ExecutionContext, *, connector_id: ConnectorId, month: Month | None = None, reason: str = ""
) -> list[RequestedRun]:
    """Queue a run for every due month, or for the named one, oldest first; a final month is reopened by its name.

    A month whose run is active keeps it. The audit log keeps the `reason`; none is owed. Raises `UnprocessableError`
    `month_not_begun`; `ConflictError` `connector_not_enabled`; `NotFoundError` `unknown_connector`; `ForbiddenError`,
    also `lifecycle_denied`.
    """
    require_operation(context, OPERATION)
    connector = connector_of(connector_id)
    # Before the transaction, so that a denial's receipt stays.
    require_may_sync(context, connector)
    decisions = [decision for decision in _choose_months(connector, month) if decision.is_due]
    return _queue(context, connector, decisions, is_by_name=month is not None, reason=reason)


def _choose_months(connector: Connector, month: Month | None) -> list[MonthDecision]:
    facts = month_facts([connector])[connector.pk]
    try:
        return select_months(facts, clock.now(), month)
    except MonthNotBegunError as error:
        sentence = f"{error}"
        raise UnprocessableError(
            sentence,
            code="month_not_begun",
            title="The month has not begun",
            errors=[FieldError("month", "month_not_begun", sentence)],
        ) from None


@transaction.atomic
def _queue(
    context: ExecutionContext,
    connector: Connector,
    decisions: Sequence[MonthDecision],
    *,
    is_by_name: bool,
    reason: str,
) -> list[RequestedRun]:
    runs = insert_runs([make_run(context, connector, decision) for decision in decisions])
    for decision in decisions:
        if decision.reopens:
            _reopen(context, connector, decision.month)
    active = {
        run.month: run
        for run in SyncRun.objects.filter(
            connector=connector, status__in=ACTIVE, month__in=[str(decision.month) for decision in decisions]
        )
    }
    requested = [
        RequestedRun(active[str(decision.month)], active[str(decision.month)].pk in runs)
        for decision in decisions
        if str(decision.month) in active
    ]
    made = [item.run for item in requested if item.is_new]
    if made:
        _record_request(context, connector, made, is_by_name=is_by_name, reason=reason)
        wake_after_commit(RUN_TASK, ",".join(str(run.pk) for run in made))
    return requested


def make_run(context: ExecutionContext, connector: Connector, decision: MonthDecision) -> SyncRun:
    """An unsaved run of the month, with its requester and why the month was chosen."""
    now = clock.now()
    return SyncRun(
        id=uuid.uuid4(),
        connector=connector,
        month=str(decision.month),
        # A job runs as the scheduler; the trigger is who started the job.
        trigger=_TRIGGERS.get(context.started_by or context.authorization_source, SyncTrigger.USER),
        reason=decision.why,
        was_final=decision.status is MonthStatus.FINAL or decision.reading.reopened_at is not None,
        actor_label=context.actor.label,
        actor_id=context.actor.id if context.authorization_source in _CHECKED_AGAIN else "",
        role=context.role,
        authorization_source=context.authorization_source,
        token_id=context.token_id,
        request_id=context.request_id,
        lease_expires_at=now + QUEUE_LEASE,
        created_at=now,
    )


def insert_runs(runs: Sequence[SyncRun]) -> set[uuid.UUID]:
    """Insert the runs whose month has no active run; returns their ids."""
    # The partial unique index decides, whoever else inserts at the same moment.
    SyncRun.objects.bulk_create(runs, ignore_conflicts=True, batch_size=1_000)
    return set(SyncRun.objects.filter(pk__in=[run.pk for run in runs]).values_list("pk", flat=True))


def _reopen(context: ExecutionContext, connector: Connector, month: Month) -> None:
    MonthState.objects.update_or_create(connector=connector, month=str(month), defaults={"reopened_at": clock.now()})
    connector_note(
        context,
        connector_id=ConnectorId(connector.pk),
        kind=ConnectorEventKind.MONTH_REOPENED,
        sentence=f"{month} was final. It is read again because somebody asked for it by name.",
    )


def _record_request(
    context: ExecutionContext, connector: Connector, runs: Sequence[SyncRun], *, is_by_name: bool, reason: str
) -> None:
    months = ", ".join(run.month for run in runs)
    connector_note(
        context,
        connector_id=ConnectorId(connector.pk),
        kind=ConnectorEventKind.SYNC_QUEUED,
        sentence=f"Sync requested: {months}{' (by name)' if is_by_name else ''}.",
    )
    audit_append(
        context,
        events.SYNC_REQUESTED,
        connector.audit_target,
        after={"months": [run.month for run in runs], "by_name": is_by_name},
        reason=reason,
    )


def sync_run_cancel(context: ExecutionContext, *, run_id: SyncRunId) -> SyncRun:
    """Stop a run that is queued or running; what its pages brought stays, and the next run brings the rest.

    Raises `NotFoundError` `unknown_sync_run`; `ConflictError` where it is over; `ForbiddenError`.
    """
    require(context, OPERATION)
    connector = sync_run_of(run_id).connector
    with transaction.atomic():
        run = sync_run_for_update(run_id)
        if run is None:
            raise unknown_sync_run(run_id)
        if run.status not in ACTIVE:
            raise ConflictError(f"The sync has {SyncStatus(run.status).label.lower()} already.")
        before = str(run.status)
        run.status, run.lease_expires_at, run.finished_at = SyncStatus.CANCELLED, None, clock.now()
        run.error_code, run.error = "cancelled", "Cancelled; the timeline says by whom."
        run.save(update_fields=["status", "lease_expires_at", "finished_at", "error_code", "error"])
        connector_note(
            context,
            connector_id=ConnectorId(run.connector_id),
            kind=ConnectorEventKind.SYNC_CANCELLED,
            sentence=f"The sync of {run.month} was cancelled after {run.fetched} records.",
        )
        audit_append(
            context,
            events.SYNC_CANCELLED,
            AuditTarget("sync_run", run.pk, connector.workspace.organization_id, connector.workspace_id),
            before={"status": before},
            after={"status": SyncStatus.CANCELLED.value},
        )
    return run


def month_facts(connectors: Sequence[Connector]) -> Mapping[UUID, MonthFacts]:
    """The input of the choice of months, in one query. The connectors must have workspace and organization loaded."""
    readings: dict[UUID, dict[Month, MonthReading]] = defaultdict(dict)
    for state in MonthState.objects.filter(connector__in=[connector.pk for connector in connectors]):
        readings[state.connector_id][Month.read(state.month)] = MonthReading(state.read_at, state.reopened_at)
    return {connector.pk: _make_facts(connector, readings[connector.pk]) for connector in connectors}


def month_decisions(connector: Connector, now: datetime) -> list[MonthDecision]:
    """The decision about each month of the connector, oldest first."""
    return select_months(month_facts([connector])[connector.pk], now)


def _make_facts(connector: Connector, readings: dict[Month, MonthReading]) -> MonthFacts:
    zone = zone_of(connector.workspace.organization.time_zone)
    provider = provider_classes().get(connector.provider)
    return MonthFacts(
        zone=zone,
        settlement_lag=provider.settlement_lag if provider else DEFAULT_LAG,
        # Counted from its creation: counted from now, an outage of years would lose months.
        first_month=max(month_of(connector.created_at, zone).shifted(-MONTHS_BACK), Month(FIRST_YEAR, 1)),
        readings=readings,
    )
