"""The steps that every change of this app shares: questions before it, the record of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import ActorKind
from apps.core.errors import ConflictError, FieldError, ForbiddenError, Reason, UnprocessableError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.contracts import ProviderNews, WorkspacePlace
from apps.subscriptions.enums import EvidenceSubject, Provider
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, ProviderEvidence
from apps.subscriptions.selectors.lifecycle import unknown_workspace
from apps.subscriptions.selectors.records import plan_of
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
