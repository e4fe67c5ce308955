"""Scheduled changes: written down, confirmed by a person or a provider, or cancelled (spec 03, Scheduled change)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError
from apps.core.ids import AuditTarget, WorkspaceId
from apps.core.operations import require
from apps.subscriptions import events
from apps.subscriptions.contracts import ChangePlan, End, ProviderNews, SubscriptionChange, WorkspacePlace
from apps.subscriptions.enums import PendingChangeKind, PendingChangeStatus
from apps.subscriptions.ids import PendingChangeId, PlanId
from apps.subscriptions.models import PendingChange
from apps.subscriptions.rules.transitions import CHANGE_OPERATION
from apps.subscriptions.selectors.records import (
    PENDING_CHANGE_TARGET,
    open_pending_change,
    pending_change_for_update,
    pending_change_values,
    workspace_subscription_of,
)
from apps.subscriptions.services.change_steps import (
    active_plan,
    impossible,
    locked_workspace,
    pending_change_close,
    place_of,
    require_reason,
)
from apps.subscriptions.services.subscriptions import SubscriptionOutcome, subscription_change
from apps.tenants.models import Workspace


@transaction.atomic
def pending_change_record(
    context: ExecutionContext,
    *,
    workspace_id: WorkspaceId,
    due_at: datetime,
    plan_id: PlanId | None = None,
    reason: str,
) -> PendingChange:
    """Write down "end" (without a plan) or "change plan" for a day to come. No timer applies it.

    Raises `ConflictError` `pending_change_open` when one waits already, `no_subscription` without a record.
    """
    require(context, CHANGE_OPERATION)
    require_reason(context, reason)
    workspace = locked_workspace(workspace_id)
    if due_at <= clock.now():
        raise impossible("due_at", "Choose a day to come; what is due now can be done now.")
    _require_recordable(workspace)
    pending = PendingChange.objects.create(
        workspace=workspace,
        kind=PendingChangeKind.CHANGE_PLAN if plan_id else PendingChangeKind.END,
        plan=active_plan(plan_id) if plan_id else None,
        due_at=due_at,
        recorded_by=context.actor.label,
        reason=reason,
        recorded_at=clock.now(),
    )
    place = place_of(workspace)
    audit_append(
        context,
        events.PENDING_CHANGE_RECORDED,
        AuditTarget(PENDING_CHANGE_TARGET, pending.pk, place.organization_id, place.workspace_id),
        after=pending_change_values(pending),
        reason=reason,
    )
    return pending


@transaction.atomic
def pending_change_confirm(
    context: ExecutionContext,
    *,
    pending_change_id: PendingChangeId,
    reason: str = "",
    expected_version: int | None = None,
    news: ProviderNews | None = None,
) -> SubscriptionOutcome:
    """Carry the scheduled change out now, through `subscription_change` and with everything that it may refuse.

    A provider that does not manage the record leaves the scheduled change open.
    """
    require(context, CHANGE_OPERATION)
    pending, place = _locked_open(pending_change_id)
    change: SubscriptionChange = ChangePlan(PlanId(pending.plan_id)) if pending.plan_id else End()
    return subscription_change(
        context,
        workspace_id=place.workspace_id,
        change=change,
        reason=reason,
        expected_version=expected_version,
        news=news,
        confirms=pending_change_id,
    )


@transaction.atomic
def pending_change_cancel(
    context: ExecutionContext, *, pending_change_id: PendingChangeId, reason: str
) -> PendingChange:
    """Strike the scheduled change out. Raises `ConflictError` `pending_change_settled`."""
    require(context, CHANGE_OPERATION)
    require_reason(context, reason)
    pending, place = _locked_open(pending_change_id)
    pending_change_close(context, place, pending, PendingChangeStatus.CANCELLED, reason)
    return pending


def _require_recordable(workspace: Workspace) -> None:
    place = place_of(workspace)
    if workspace_subscription_of(place.workspace_id) is None:
        raise ConflictError(
            "The workspace has no subscription record that could change later. Start one first.",
            code="no_subscription",
            title="No subscription",
        )
    waiting = open_pending_change(place.workspace_id)
    if waiting is not None:
        raise ConflictError(
            f"A change waits already: {waiting.get_kind_display()} on {waiting.due_at:%Y-%m-%d}, recorded by "
            f"{waiting.recorded_by}. Confirm or cancel it first.",
            code="pending_change_open",
            title="A scheduled change waits already",
        )


def _locked_open(pending_change_id: PendingChangeId) -> tuple[PendingChange, WorkspacePlace]:
    workspace_id = PendingChange.objects.filter(pk=pending_change_id).values_list("workspace", flat=True).first()
    if workspace_id is None:
        raise NotFoundError(f"There is no scheduled change {pending_change_id}.")
    place = place_of(locked_workspace(WorkspaceId(workspace_id)))
    pending = pending_change_for_update(pending_change_id)
    if pending is None or pending.status != PendingChangeStatus.OPEN:
        raise ConflictError(
            "This scheduled change was confirmed, cancelled or dropped already. Reload the workspace page.",
            code="pending_change_settled",
            title="The scheduled change is no longer open",
        )
    return pending, place
