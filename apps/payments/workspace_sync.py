"""Syncs a workspace subscription with its mirrored subscription, through its service (spec 03, Mutation).

The service changes the record only while this provider manages it; otherwise it stores the event as evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.models import ProviderSubscription
from apps.payments.rules.statuses import workspace_state
from apps.payments.tracking import (
    PlanPhaseChange,
    SubscriptionCancelled,
    SubscriptionUncancelled,
    Tracked,
    billing_event_record,
)
from apps.subscriptions.contracts import (
    Activate,
    ChangePlan,
    End,
    MarkPastDue,
    Period,
    ProviderNews,
    Resume,
    SetCancelAtPeriodEnd,
    StartTrial,
    SubscriptionChange,
    Suspend,
    UpdatePeriod,
)
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.rules.transitions import is_new_start, is_over, verb_between
from apps.subscriptions.selectors.records import workspace_subscription_for_update
from apps.subscriptions.services import subscription_change
from apps.tenants.selectors.organizations import organization_of_workspace, workspace_for_update


@transaction.atomic
def sync_workspace_subscription(context: ExecutionContext, mirrored: ProviderSubscription) -> None:
    """Make the changes that lead from the record as it is to the mirrored subscription; none where they agree already.

    Raises `UnprocessableError` `unknown_plan` when the record must start and no plan of ours is named, and
    `ConflictError` when the metadata name a workspace of another organization: staff correct it and process the event
    again.
    """
    target = workspace_state(ProviderSubscriptionStatus(mirrored.status))
    if mirrored.workspace_id is None or target is None or mirrored.organization_id is None:
        return
    workspace_id = WorkspaceId(mirrored.workspace_id)
    _require_own_workspace(workspace_id, mirrored)
    workspace_for_update(workspace_id)
    record = workspace_subscription_for_update(workspace_id)
    if _follows_another(record, mirrored):
        _store_evidence(context, workspace_id, mirrored, target)
        return
    for moment, change in _list_changes(record, mirrored, target):
        if _apply(context, workspace_id, change, ProviderNews(mirrored.external_id, mirrored.status, moment)):
            _track(context, mirrored, change)


def _apply(
    context: ExecutionContext, workspace_id: WorkspaceId, change: SubscriptionChange, news: ProviderNews
) -> bool:
    """Whether the change was made: staff may manage the record, and then the event is only evidence."""
    try:
        return subscription_change(context, workspace_id=workspace_id, change=change, news=news).is_applied
    except ConflictError as error:
        # The start has set these dates already.
        if error.problem_code != "nothing_to_change":
            raise
        return False


def _track(context: ExecutionContext, mirrored: ProviderSubscription, change: SubscriptionChange) -> None:
    if mirrored.workspace_id is None or mirrored.organization_id is None:
        return
    provider, name, workspace_id = mirrored.provider, mirrored.external_id, mirrored.workspace_id
    properties: Tracked
    if isinstance(change, SetCancelAtPeriodEnd):
        kind = SubscriptionCancelled if change.value else SubscriptionUncancelled
        properties = kind(provider, name, workspace_id)
    elif isinstance(change, ChangePlan):
        properties = PlanPhaseChange(provider, name, workspace_id, mirrored.plan_key)
    else:
        return
    billing_event_record(
        context,
        properties=properties,
        organization_id=OrganizationId(mirrored.organization_id),
        occurred_at=mirrored.news_at,
        key=f"{properties.name.name.lower()}:{provider}:{name}:{mirrored.news_id}",
    )


def _require_own_workspace(workspace_id: WorkspaceId, mirrored: ProviderSubscription) -> None:
    owner = organization_of_workspace(workspace_id)
    if owner != mirrored.organization_id:
        raise ConflictError(
            f"The subscription {mirrored.external_id} names workspace {workspace_id}, which is none of organization "
            f"{mirrored.organization_id}. Correct its metadata, then process the event again.",
            code="workspace_of_another_organization",
            title="The workspace belongs to another organization",
        )


def _follows_another(record: WorkspaceSubscription | None, mirrored: ProviderSubscription) -> bool:
    """Whether the record follows another subscription, so that this one is only evidence."""
    if record is None:
        return False
    is_followed = record.provider_subscription_id == mirrored.external_id
    is_free = is_over(SubscriptionState(record.state))
    return record.managed_by != mirrored.provider or not (is_followed or is_free)


def _store_evidence(
    context: ExecutionContext,
    workspace_id: WorkspaceId,
    mirrored: ProviderSubscription,
    target: SubscriptionState,
) -> None:
    change: SubscriptionChange = End() if is_over(target) else Activate()
    news = ProviderNews(mirrored.external_id, mirrored.status, mirrored.news_at)
    subscription_change(context, workspace_id=workspace_id, change=change, news=news)


def _list_changes(
    record: WorkspaceSubscription | None, mirrored: ProviderSubscription, target: SubscriptionState
) -> Iterator[tuple[datetime, SubscriptionChange]]:
    """The changes in order, each with the provider's time of it: start, state, dates, and the end last."""
    state = SubscriptionState(record.state) if record else None
    is_start = is_new_start(state)
    if is_start and is_over(target) and record and record.provider_subscription_id == mirrored.external_id:
        return
    started_at = mirrored.started_at or mirrored.news_at
    if is_start:
        state, change = _start_change(record, mirrored, target)
        yield started_at, change
    if state is not None and not is_over(target) and state is not target:
        yield mirrored.news_at, _state_change(state, target, mirrored)
    yield from ((mirrored.news_at, change) for change in _list_detail_changes(None if is_start else record, mirrored))
    if is_over(target):
        yield mirrored.ended_at or mirrored.news_at, End()


def _start_change(
    record: WorkspaceSubscription | None, mirrored: ProviderSubscription, target: SubscriptionState
) -> tuple[SubscriptionState, SubscriptionChange]:
    plan_id = _plan_id(mirrored)
    if plan_id is None and record is None:
        raise UnprocessableError(
            f"The subscription {mirrored.external_id} names the plan {mirrored.plan_key!r}, and there is no active "
            "plan with that slug. Make one, or name one in the subscription's metadata as `plan`; then process the "
            "event again.",
            code="unknown_plan",
            title="Unknown plan",
        )
    trial_end = mirrored.trial_ends_at
    is_trial = verb_between(None, target) == StartTrial.verb
    if is_trial and plan_id is not None and trial_end is not None:
        return target, StartTrial(plan_id, trial_end, _period(mirrored))
    return SubscriptionState.ACTIVE, Activate(plan_id, _period(mirrored))


def _state_change(
    state: SubscriptionState, target: SubscriptionState, mirrored: ProviderSubscription
) -> SubscriptionChange:
    """The one change that leads on; a person decides about one that the table does not know."""
    verbs: dict[str, SubscriptionChange] = {
        Activate.verb: Activate(period=_period(mirrored)),
        MarkPastDue.verb: MarkPastDue(),
        Suspend.verb: Suspend(),
        Resume.verb: Resume(),
    }
    verb = verb_between(state, target)
    if verb not in verbs:
        raise ConflictError(
            f"{mirrored.external_id} is {mirrored.status} at {mirrored.provider}; a subscription that is {state.value} "
            f"can't become {target.value} here. Correct it on the workspace page.",
            code="illegal_transition",
            title="Not possible from this state",
        )
    return verbs[verb]


def _list_detail_changes(
    record: WorkspaceSubscription | None, mirrored: ProviderSubscription
) -> Iterator[SubscriptionChange]:
    """The differences beside the state. Without a record: of one that was started a moment ago."""
    if record is not None and is_over(SubscriptionState(record.state)):
        return
    period, plan_id = _period(mirrored), _plan_id(mirrored)
    if period is not None and _has_other_dates(record, mirrored, period):
        yield UpdatePeriod(period, mirrored.trial_ends_at)
    if record is not None and plan_id is not None and record.plan_id != plan_id:
        yield ChangePlan(plan_id)
    if mirrored.cancel_at_period_end != (record.cancel_at_period_end if record else False):
        yield SetCancelAtPeriodEnd(mirrored.cancel_at_period_end)


def _has_other_dates(record: WorkspaceSubscription | None, mirrored: ProviderSubscription, period: Period) -> bool:
    if record is None:
        return mirrored.trial_ends_at is not None
    known = (record.current_period_start, record.current_period_end)
    trial_end = mirrored.trial_ends_at
    return known != (period.start, period.end) or trial_end not in {None, record.trial_ends_at}


def _period(mirrored: ProviderSubscription) -> Period | None:
    start, end = mirrored.period_start, mirrored.period_end
    return Period(start, end) if start and end and start < end else None


def _plan_id(mirrored: ProviderSubscription) -> PlanId | None:
    found = Plan.objects.filter(slug=mirrored.plan_key, is_active=True).values_list("pk", flat=True).first()
    return PlanId(found) if found else None
