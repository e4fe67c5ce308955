"""The steps of a change: questions before it, what it does to a subscription, the record of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import ActorKind
from apps.core.errors import ConflictError, FieldError, ForbiddenError, Reason, UnprocessableError
from apps.core.ids import AuditTarget, OrganizationId, WorkspaceId
from apps.core.locks import lock_name
from apps.subscriptions import events
from apps.subscriptions.contracts import (
    Activate,
    ChangePlan,
    End,
    HandToProvider,
    Period,
    ProviderNews,
    SetCancelAtPeriodEnd,
    StartTrial,
    SubscriptionChange,
    UpdatePeriod,
    WorkspacePlace,
)
from apps.subscriptions.enums import EvidenceSubject, PendingChangeKind, PendingChangeStatus, Provider
from apps.subscriptions.ids import PendingChangeId, PlanId
from apps.subscriptions.models import PendingChange, Plan, ProviderEvidence, WorkspaceSubscription
from apps.subscriptions.rules.transitions import RecordChange, fate_of_scheduled
from apps.subscriptions.selectors.lifecycle import unknown_workspace
from apps.subscriptions.selectors.records import (
    PENDING_CHANGE_TARGET,
    open_pending_change,
    pending_change_values,
    plan_of,
)
from apps.tenants.models import Workspace
from apps.tenants.selectors.organizations import workspace_for_update


def is_person(context: ExecutionContext) -> bool:
    """Whether a signed-in person acts, who owes a reason."""
    return context.actor.kind is ActorKind.USER


def provider_of(context: ExecutionContext) -> Provider | None:
    """The provider that speaks, when one does."""
    return Provider(context.actor.id) if context.actor.kind is ActorKind.PROVIDER else None


def speaker_of(context: ExecutionContext, news: ProviderNews | None) -> Provider | None:
    """Whose news it is: that of the object where the news say so, else the provider that acts."""
    return news.provider if news is not None and news.provider is not None else provider_of(context)


def require_reason(context: ExecutionContext, reason: str) -> None:
    """Raise `UnprocessableError` `reason_required` for a person who gives none (spec 03, Mutation)."""
    if is_person(context) and not reason.strip():
        sentence = "Say why: the reason is kept with the change for everybody who asks later."
        raise UnprocessableError(
            sentence,
            code="reason_required",
            title="A reason is required",
            errors=[FieldError("reason", "reason_required", sentence)],
        )


def require_actor(context: ExecutionContext, who: frozenset[ActorKind], what: str) -> None:
    """Raise `ForbiddenError` where this kind of actor may not, whatever its role is."""
    if context.actor.kind not in who:
        allowed = ", ".join(sorted(kind.value for kind in who))
        raise ForbiddenError(
            f"{what} is for {allowed}; this call comes from {context.actor.label}.",
            explanation=[Reason("actor_kind", "deny", f"the actor is a {context.actor.kind.value}")],
        )


def locked_workspace(workspace_id: WorkspaceId) -> Workspace:
    """The workspace, locked; raises `NotFoundError` `unknown_workspace`."""
    workspace = workspace_for_update(workspace_id)
    if workspace is None:
        raise unknown_workspace(workspace_id)
    return workspace


def place_of(workspace: Workspace) -> WorkspacePlace:
    """The typed ids of a workspace and its organization."""
    return WorkspacePlace(WorkspaceId(workspace.pk), OrganizationId(workspace.organization_id))


def active_plan(plan_id: PlanId) -> Plan:
    """The plan, if it can be chosen; raises `UnprocessableError` `unknown_plan`."""
    plan = plan_of(plan_id)
    if plan is None or not plan.is_active:
        sentence = f"There is no active plan {plan_id}. Choose one of the active plans."
        raise UnprocessableError(
            sentence, code="unknown_plan", title="Unknown plan", errors=[FieldError("plan", "unknown_plan", sentence)]
        )
    return plan


def nothing_to_change(what: str) -> ConflictError:
    """The record says already what was asked for; an audit entry without a change would mislead."""
    return ConflictError(f"{what} Nothing was changed.", code="nothing_to_change", title="The record says so already")


def impossible(field: str, sentence: str) -> UnprocessableError:
    """A value that can't be, at the field that it stands in."""
    return UnprocessableError(sentence, errors=[FieldError(field, "impossible_value", sentence)])


def moment_of(news: ProviderNews | None) -> datetime:
    """When the change happened: at the provider's own time if one told of it, else now."""
    return news.claimed_at if news else clock.now()


def evidence_store(
    context: ExecutionContext,
    *,
    subject: EvidenceSubject,
    organization_id: OrganizationId,
    place: WorkspacePlace | None,
    verb: str,
    news: ProviderNews | None,
    why_kept: str,
) -> ProviderEvidence:
    """Keep a provider's news that changes nothing, with why."""
    moment = clock.now()
    return ProviderEvidence.objects.create(
        provider=speaker_of(context, news) or "",
        subject=subject,
        organization_id=organization_id,
        workspace_id=place.workspace_id if place else None,
        object_id=news.object_id if news else "",
        verb=verb,
        claimed_state=news.claimed_state if news else verb,
        claimed_at=news.claimed_at if news else moment,
        why_kept=why_kept,
        received_at=moment,
        request_id=context.request_id,
    )


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The names of the values that differ, the count of versions aside."""
    return {name for name in after if name != "version" and before.get(name) != after[name]}


def carry_out(record: WorkspaceSubscription, change: SubscriptionChange, *, is_new: bool, moment: datetime) -> None:
    """Set the fields that the change speaks of, all but state and management. Raises `UnprocessableError`."""
    if is_new and isinstance(change, StartTrial | Activate):
        _begin(record, moment)
    match change:
        case StartTrial():
            _start_trial(record, change)
        case Activate():
            _activate(record, change)
        case ChangePlan():
            record.plan = active_plan(change.plan_id)
        case SetCancelAtPeriodEnd():
            record.cancel_at_period_end = change.value
        case _:
            _carry_out_dates(record, change, moment)


def _carry_out_dates(record: WorkspaceSubscription, change: SubscriptionChange, moment: datetime) -> None:
    match change:
        case UpdatePeriod():
            _set_period(record, change.period)
            record.trial_ends_at = change.trial_ends_at or record.trial_ends_at
        case End():
            # A provider may date the end before our record of the start; the record stays coherent.
            record.ended_at = max(moment, record.started_at)
        case HandToProvider():
            _require_provider_id(record, change)
        case _:
            pass  # the other verbs change the state or the management alone


def _begin(record: WorkspaceSubscription, moment: datetime) -> None:
    """A new start has dates of its own; those of the subscription before are in the audit log."""
    record.started_at = moment
    record.ended_at = None
    record.trial_ends_at = None
    record.current_period_start = record.current_period_end = None
    record.cancel_at_period_end = False


def _start_trial(record: WorkspaceSubscription, change: StartTrial) -> None:
    if change.trial_ends_at <= record.started_at:
        raise impossible("trial_ends_at", "The trial must end after it starts. Choose a later end.")
    record.plan = active_plan(change.plan_id)
    record.trial_ends_at = change.trial_ends_at
    _set_period(record, change.period)


def _activate(record: WorkspaceSubscription, change: Activate) -> None:
    if change.plan_id is not None:
        record.plan = active_plan(change.plan_id)
    elif record.plan_id is None:
        raise impossible("plan", "Choose a plan: there is no earlier subscription to take it from.")
    _set_period(record, change.period)


def _set_period(record: WorkspaceSubscription, period: Period | None) -> None:
    if period is None:
        return
    if period.end <= period.start:
        raise impossible("period", "The period must end after it starts.")
    record.current_period_start, record.current_period_end = period.start, period.end


def _require_provider_id(record: WorkspaceSubscription, change: HandToProvider) -> None:
    if change.provider_subscription_id:
        return
    if record.provider != change.provider.value:
        raise impossible(
            "provider_subscription_id",
            f"Name the subscription at {change.provider.label} that this record is to follow; none is stored.",
        )


def require_free_at_provider(record: WorkspaceSubscription) -> None:
    """Raise `ConflictError` `provider_subscription_taken` when another workspace follows the same subscription."""
    if not record.provider:
        return
    lock_name(f"provider-subscription:{record.provider}:{record.provider_subscription_id}")
    taken = WorkspaceSubscription.objects.filter(
        provider=record.provider, provider_subscription_id=record.provider_subscription_id
    ).exclude(pk=record.pk)
    other = taken.values_list("workspace", flat=True).first()
    if other is not None:
        raise ConflictError(
            f"The {record.provider} subscription {record.provider_subscription_id} belongs to workspace {other}.",
            code="provider_subscription_taken",
            title="Another workspace follows this subscription",
        )


def settle_scheduled(
    context: ExecutionContext,
    place: WorkspacePlace,
    change: RecordChange,
    *,
    plan_name: str,
    reason: str,
    confirms: PendingChangeId | None = None,
) -> None:
    """Drop the scheduled change that has lost its sense, or note that it is made; the workspace is locked.

    `confirms` is the one that a person carries out with this change.
    """
    if not (change.ends or change.starts or change.switches_plan):
        return
    pending = open_pending_change(place.workspace_id)
    if pending is None:
        return
    fate = fate_of_scheduled(PendingChangeKind(pending.kind), pending.plan_id, change)
    if pending.pk == confirms:
        pending_change_close(context, place, pending, PendingChangeStatus.APPLIED, reason)
    elif fate is not None:
        why = "The subscription ended" if change.ends else "A new subscription started" if change.starts else ""
        why = why or f"The plan is {plan_name} now"
        pending_change_close(context, place, pending, fate, f"{why}: {reason}" if reason else f"{why}.")


_CLOSING: Mapping[PendingChangeStatus, AuditEvent] = {
    PendingChangeStatus.APPLIED: events.PENDING_CHANGE_APPLIED,
    PendingChangeStatus.CANCELLED: events.PENDING_CHANGE_CANCELLED,
    PendingChangeStatus.DROPPED: events.PENDING_CHANGE_DROPPED,
}


def pending_change_close(
    context: ExecutionContext, place: WorkspacePlace, pending: PendingChange, status: PendingChangeStatus, reason: str
) -> None:
    """Settle the open scheduled change, with its audit entry."""
    before = pending_change_values(pending)
    pending.status = status
    pending.settled_by, pending.settled_reason, pending.settled_at = context.actor.label, reason, clock.now()
    pending.save(update_fields=["status", "settled_by", "settled_reason", "settled_at"])
    target = AuditTarget(PENDING_CHANGE_TARGET, pending.pk, place.organization_id, place.workspace_id)
    audit_append(context, _CLOSING[status], target, before=before, after=pending_change_values(pending), reason=reason)
