"""THE function that changes a workspace subscription, whoever calls (spec 03, Mutation)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, Reason
from apps.core.ids import AuditTarget, WorkspaceId
from apps.core.operations import require
from apps.core.row_versions import row_versions_attribute
from apps.subscriptions.contracts import HandToProvider, ProviderNews, SubscriptionChange, WorkspacePlace
from apps.subscriptions.enums import EvidenceSubject, ManagedBy, Provider, SubscriptionState
from apps.subscriptions.handlers import run_locks, run_saved_handlers, run_subscription_handlers
from apps.subscriptions.history import subscription_changes_since
from apps.subscriptions.ids import PendingChangeId
from apps.subscriptions.models import ProviderEvidence, WorkspaceSubscription
from apps.subscriptions.rules.transitions import (
    SUBSCRIPTION_TRANSITIONS,
    RecordChange,
    SubscriptionTransition,
    is_legal,
    is_new_start,
    is_over,
    legal_verbs,
)
from apps.subscriptions.selectors.records import (
    SUBSCRIPTION_TARGET,
    subscription_values,
    workspace_subscription_for_update,
)
from apps.subscriptions.services.change_steps import (
    carry_out,
    changed_names,
    evidence_store,
    impossible,
    locked_workspace,
    moment_of,
    nothing_to_change,
    place_of,
    require_actor,
    require_free_at_provider,
    require_reason,
    settle_scheduled,
    speaker_of,
)


@dataclass(frozen=True, slots=True)
class SubscriptionOutcome:
    """The record as it is now. Not applied means that a provider spoke while others manage it: see `evidence`."""

    record: WorkspaceSubscription | None
    is_applied: bool
    evidence: ProviderEvidence | None = None


@transaction.atomic
def subscription_change(
    context: ExecutionContext,
    *,
    workspace_id: WorkspaceId,
    change: SubscriptionChange,
    reason: str = "",
    expected_version: int | None = None,
    news: ProviderNews | None = None,
    confirms: PendingChangeId | None = None,
) -> SubscriptionOutcome:
    """Carry out one typed change, with one audit entry, or refuse it and change nothing.

    `expected_version` is the version that the caller has seen, 0 for no record; whoever brings no `news` owes it. News
    change the record only while providers manage it, or after its end; otherwise they are kept as evidence. Any other
    change takes the management over, because the provider's next event would undo it; `HandToProvider` gives it back.
    A scheduled change that loses its sense is dropped; news of just that change confirm it, and so does a person who
    names it in `confirms`.

    Raises `UnprocessableError` (`reason_required`, impossible dates), `ConflictError` (`version_conflict` with what
    changed, `illegal_transition` with the legal verbs, `nothing_to_change`, `provider_subscription_taken`),
    `NotFoundError` `unknown_workspace`; `ForbiddenError`.
    """
    transition = SUBSCRIPTION_TRANSITIONS[change.verb]
    require(context, transition.operation)
    require_actor(context, transition.who, transition.label)
    require_reason(context, reason)
    _require_expectation(context, expected_version, news)
    place = place_of(locked_workspace(workspace_id))
    record = workspace_subscription_for_update(workspace_id)
    why_kept = _why_kept(speaker_of(context, news), record, news)
    if why_kept:
        evidence = _store_evidence(context, place, change, news, why_kept)
        return SubscriptionOutcome(record, is_applied=False, evidence=evidence)
    require_version(workspace_id, record, expected_version)
    _require_transition(place, record, transition)
    changed = _apply(context, place, record, change, reason, news, confirms)
    if news is None:
        run_subscription_handlers(context, workspace_id=workspace_id, change=change)
        changed.refresh_from_db()
    return SubscriptionOutcome(changed, is_applied=True)


def _store_evidence(
    context: ExecutionContext, place: WorkspacePlace, change: SubscriptionChange, news: ProviderNews | None, why: str
) -> ProviderEvidence:
    return evidence_store(
        context,
        subject=EvidenceSubject.WORKSPACE_SUBSCRIPTION,
        organization_id=place.organization_id,
        place=place,
        verb=change.verb,
        news=news,
        why_kept=why,
    )


def _apply(
    context: ExecutionContext,
    place: WorkspacePlace,
    record: WorkspaceSubscription | None,
    change: SubscriptionChange,
    reason: str,
    news: ProviderNews | None,
    confirms: PendingChangeId | None,
) -> WorkspaceSubscription:
    if news is None:
        run_locks(workspace_id=place.workspace_id, change=change)
    transition, before, was = SUBSCRIPTION_TRANSITIONS[change.verb], subscription_values(record), _state(record)
    changed = record or WorkspaceSubscription(workspace_id=place.workspace_id, version=0)
    carry_out(changed, change, is_new=is_new_start(was), moment=moment_of(news))
    if transition.target is not None:
        changed.state = transition.target
    _assign_management(changed, change, speaker_of(context, news), news)
    if not changed_names(before, subscription_values(changed)):
        raise nothing_to_change("The subscription is already as asked for.")
    require_free_at_provider(changed)
    changed.version += 1
    row_versions_attribute(context, reason=reason)
    changed.save(force_insert=record is None)
    audit_append(
        context,
        transition.event,
        AuditTarget(SUBSCRIPTION_TARGET, changed.pk, place.organization_id, place.workspace_id),
        before=before,
        after=subscription_values(changed),
        reason=reason,
    )
    run_saved_handlers(context, subscription=changed)
    now = SubscriptionState(changed.state)
    is_news = news is not None and news.claimed_state == now.value
    made = RecordChange(was, now, before.get("plan_id"), changed.plan_id, is_news=is_news)
    settle_scheduled(context, place, made, plan_name=changed.plan.name, reason=reason, confirms=confirms)
    return changed


def _assign_management(
    record: WorkspaceSubscription, change: SubscriptionChange, provider: Provider | None, news: ProviderNews | None
) -> None:
    if isinstance(change, HandToProvider):
        record.provider = change.provider
        record.provider_subscription_id = change.provider_subscription_id or record.provider_subscription_id
        record.managed_by = ManagedBy(change.provider.value)
    elif provider is not None and news is not None:
        record.provider, record.provider_subscription_id = provider, news.object_id
        record.managed_by = ManagedBy(provider.value)
    else:
        record.managed_by = ManagedBy.STAFF


def _why_kept(provider: Provider | None, record: WorkspaceSubscription | None, news: ProviderNews | None) -> str:
    """Why a provider's news changes nothing; empty where it may."""
    if provider is None or record is None or news is None:
        return ""
    if is_new_start(SubscriptionState(record.state)):
        is_before = ended_by_staff(record) and record.ended_at is not None and news.claimed_at <= record.ended_at
        return "staff ended the record afterwards" if is_before else ""
    if record.managed_by != provider.value:
        return f"the record is managed by {record.managed_by}"
    if news.object_id != record.provider_subscription_id:
        return f"the record follows {record.provider_subscription_id}, which has not ended"
    return ""


def ended_by_staff(record: WorkspaceSubscription) -> bool:
    """Whether staff had the last word on a record that has ended; a running one they manage."""
    return is_over(SubscriptionState(record.state)) and record.managed_by == ManagedBy.STAFF


def _require_expectation(context: ExecutionContext, expected_version: int | None, news: ProviderNews | None) -> None:
    if speaker_of(context, news) is not None:
        if news is None:
            raise impossible("news", "A provider's change names its subscription, the state and the moment.")
    elif expected_version is None:
        raise impossible("expected_version", "Say which version of the subscription you have seen; 0 for none.")


def require_version(
    workspace_id: WorkspaceId, record: WorkspaceSubscription | None, expected_version: int | None
) -> None:
    """Raise `ConflictError` `version_conflict`, telling what changed, unless the record is as the caller saw it."""
    version = record.version if record else 0
    if expected_version is None or expected_version == version:
        return
    changes = subscription_changes_since(workspace_id, expected_version)
    told = "; ".join(change.fact for change in changes) or "a change that left no audit entry"
    raise ConflictError(
        f"The subscription changed since you saw it (version {expected_version}, now {version}): {told}. "
        "Look at it again, then repeat what you wanted.",
        code="version_conflict",
        title="The subscription changed in between",
        explanation=changes,
    )


def _require_transition(
    place: WorkspacePlace, record: WorkspaceSubscription | None, transition: SubscriptionTransition
) -> None:
    state = _state(record)
    if is_legal(transition.verb, state):
        return
    now = f"The subscription is {state.value}" if state else "The workspace has no subscription record"
    legal = ", ".join(row.label for row in legal_verbs(state))
    raise ConflictError(
        f"{now}; {transition.label} is not possible from there. Possible: {legal}.",
        code="illegal_transition",
        title="Not possible from this state",
        explanation=[
            Reason(
                "transition",
                "deny",
                f"{transition.verb} from {state.value if state else 'no record'}",
                f"workspace:{place.workspace_id}",
            ),
            *(Reason("legal_verb", "allow", row.verb) for row in legal_verbs(state)),
        ],
    )


def _state(record: WorkspaceSubscription | None) -> SubscriptionState | None:
    return SubscriptionState(record.state) if record else None
