"""What people and products ask of the sync: a month, an end, an answer to a question (spec 06, Sync run)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.connectors import events
from apps.connectors.contracts import Month
from apps.connectors.enums import ConnectorEventKind, SyncStatus
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector, MonthState, SyncRun
from apps.connectors.models.syncs import ACTIVE
from apps.connectors.rules.months import MonthDecision, MonthNotBegunError, select_months
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.selectors.syncs import sync_run_for_update, sync_run_of, unknown_sync_run
from apps.connectors.services import connector_note
from apps.connectors.sync.guards import OPERATION, require_may_sync, require_operation
from apps.connectors.sync.queue import NO_QUESTION, RUN_TASK, insert_runs, make_run, month_facts
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, UnprocessableError
from apps.core.ids import AuditTarget
from apps.core.operations import require
from apps.core.wakeups import wake_after_commit
from apps.subscriptions.services.change_steps import require_reason


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """The run of a requested month; `is_new` is False where the month was being synced already."""

    run: SyncRun
    is_new: bool


def sync_request(
    context: ExecutionContext,
    *,
    connector_id: ConnectorId,
    month: Month | None = None,
    reason: str = "",
    expected_records: int | None = None,
) -> list[RequestedRun]:
    """Queue a run for every due month, or for the named one, oldest first; a final month is reopened by its name.

    A month whose run is active keeps it. With `expected_records` a person has confirmed that the month may become so
    small. The audit log keeps the `reason`; none is owed. Raises `UnprocessableError`
    `month_not_begun`; `ConflictError` `connector_not_enabled`; `NotFoundError` `unknown_connector`; `ForbiddenError`,
    also `lifecycle_denied`.
    """
    require_operation(context, OPERATION)
    connector = connector_of(connector_id)
    # Before the transaction, so that a denial's receipt stays.
    require_may_sync(context, connector)
    decisions = [decision for decision in _choose_months(connector, month) if decision.is_due]
    runs = [make_run(context, connector, decision, expected_records) for decision in decisions]
    return _queue(context, connector, decisions, runs, is_by_name=month is not None, reason=reason)


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
    wanted: Sequence[SyncRun],
    *,
    is_by_name: bool,
    reason: str,
) -> list[RequestedRun]:
    runs = insert_runs(wanted)
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


def months_waiting(connector: Connector) -> list[MonthState]:
    """The months of the connector about which a person is asked, oldest first."""
    return list(MonthState.objects.filter(connector=connector, shrink_asked_at__isnull=False).order_by("month"))


def shrink_confirm(
    context: ExecutionContext, *, connector_id: ConnectorId, month: Month, reason: str
) -> list[RequestedRun]:
    """Read the month again, and let it become as small as it was about to. Should it be smaller by then, it asks again.

    Raises `ConflictError` `nothing_to_confirm` where nobody is asked about the month; as `sync_request` else.
    """
    require_operation(context, OPERATION)
    require_reason(context, reason)
    # Before the transaction, so that a denial's receipt stays.
    require_may_sync(context, connector_of(connector_id))
    with transaction.atomic():
        state = _answer(context, connector_id, month, reason, is_yes=True)
        remaining = state.shrink_to
        MonthState.objects.filter(pk=state.pk).update(shrink_refused_at=None, **NO_QUESTION)
        return sync_request(context, connector_id=connector_id, month=month, reason=reason, expected_records=remaining)


@transaction.atomic
def shrink_reject(context: ExecutionContext, *, connector_id: ConnectorId, month: Month, reason: str) -> None:
    """Keep the records of the month. It is read again a day later, and asks again if it is still so small.

    Raises `ConflictError` `nothing_to_confirm`; `ForbiddenError`; `NotFoundError` `unknown_connector`.
    """
    require_operation(context, OPERATION)
    require_reason(context, reason)
    state = _answer(context, connector_id, month, reason, is_yes=False)
    MonthState.objects.filter(pk=state.pk).update(shrink_refused_at=clock.now(), **NO_QUESTION)


def _answer(
    context: ExecutionContext, connector_id: ConnectorId, month: Month, reason: str, *, is_yes: bool
) -> MonthState:
    """Lock the question, and say in the timeline and the audit log what the answer is."""
    connector = connector_of(connector_id)
    rows = MonthState.objects.select_for_update(no_key=True).filter(connector=connector_id, month=str(month))
    state = rows.filter(shrink_asked_at__isnull=False).first()
    if state is None:
        raise ConflictError(
            f"Nobody is asked about {month}: it does not shrink, or somebody has answered already.",
            code="nothing_to_confirm",
            title="There is nothing to confirm",
        )
    figures = f"from {state.shrink_from or 0:,} to {state.shrink_to or 0:,} records"
    answer = "may go" if is_yes else "must not go"
    sentence = f"{month} {answer} {figures}{f': {reason}' if reason else '.'}"
    connector_note(context, connector_id=connector_id, kind=ConnectorEventKind.SHRINK_ANSWERED, sentence=sentence)
    audit_append(
        context,
        events.SHRINK_CONFIRMED if is_yes else events.SHRINK_REJECTED,
        connector.audit_target,
        after={"month": str(month), "from": state.shrink_from, "to": state.shrink_to},
        reason=reason,
    )
    return state
