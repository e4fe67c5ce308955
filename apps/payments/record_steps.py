"""The mirrored subscriptions of a workspace, and which changes lead its record to the one to follow (spec 03, 04)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from apps.core.errors import UnprocessableError
from apps.core.ids import WorkspaceId
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.models import ProviderSubscription
from apps.payments.rules.following import SubscriptionFacts, SubscriptionName, workspace_state
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
from apps.subscriptions.enums import Provider, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.rules.transitions import is_over, verb_between
from apps.tenants.selectors.organizations import organization_of_workspace

Rows = dict[SubscriptionName, ProviderSubscription]


@dataclass(frozen=True, slots=True)
class Step:
    """One change, what a provider says that calls for it, and why, where that is not plain."""

    change: SubscriptionChange
    news: ProviderNews
    reason: str = ""


def mirrored_subscriptions(workspace_id: WorkspaceId, record: WorkspaceSubscription | None) -> Rows:
    """The mirrored subscriptions of the workspace by name: those that name it, and the one that staff tied to it."""
    ours = Q(workspace_id=workspace_id)
    if record is not None and record.provider:
        tied = Q(provider=record.provider, external_id=record.provider_subscription_id)
        ours |= tied & Q(workspace_id__isnull=True)
    owner = organization_of_workspace(workspace_id)
    rows = ProviderSubscription.objects.filter(ours, organization=owner).order_by("provider", "external_id")
    return {name_of(row): row for row in rows}


def name_of(row: ProviderSubscription) -> SubscriptionName:
    """What it is called at its provider."""
    return SubscriptionName(row.provider, row.external_id)


def facts_of(row: ProviderSubscription) -> SubscriptionFacts:
    """What counts of it."""
    return SubscriptionFacts(name_of(row), ProviderSubscriptionStatus(row.status), row.started_at, row.ended_at)


def list_steps(record: WorkspaceSubscription | None, rows: Rows, target: ProviderSubscription) -> Iterator[Step]:
    """The changes in order: the end of what the record followed, start, state, dates, and the end last.

    Raises `UnprocessableError` `unknown_plan` when a subscription must start and no plan of ours is named.
    """
    if record is None or is_over(SubscriptionState(record.state)):
        if not (_is_followed(record, target) and is_over(state_of(target))):
            yield from _list_start(target)
    elif not _is_followed(record, target):
        yield _leave(record, rows.get(_name_in(record)), target)
        yield from _list_start(target)
    elif _is_jump(record, target):
        again = f"it is {target.get_status_display().lower()} again"
        yield Step(End(), news_of(target, target.news_at), again)
        yield from _list_start(target)
    else:
        yield from _list_rest(SubscriptionState(record.state), record, target)


def _is_jump(record: WorkspaceSubscription, target: ProviderSubscription) -> bool:
    """Whether no one verb leads to where the provider is, such as back into a trial: then it starts anew."""
    state, aim = SubscriptionState(record.state), state_of(target)
    return state is not aim and verb_between(state, aim) is None


def _list_start(target: ProviderSubscription) -> Iterator[Step]:
    state, change = _start_change(target, state_of(target))
    yield Step(change, news_of(target, start_of(target)))
    yield from _list_rest(state, None, target)


def _list_rest(
    state: SubscriptionState, record: WorkspaceSubscription | None, target: ProviderSubscription
) -> Iterator[Step]:
    """State, dates, and the end. Without a record: of one that was started a moment ago."""
    aim = state_of(target)
    if not is_over(aim) and state is not aim:
        yield Step(_state_change(state, aim, target), news_of(target, target.news_at))
    for change in _list_detail_changes(record, target):
        yield Step(change, news_of(target, target.news_at))
    if is_over(aim):
        yield Step(End(), news_of(target, target.ended_at or target.news_at))


def _leave(record: WorkspaceSubscription, left: ProviderSubscription | None, target: ProviderSubscription) -> Step:
    """End what the record followed until now, in our books alone, so that it can follow another one."""
    ended_at = (left.ended_at if left else None) or start_of(target)
    # One that goes on there has not ended by the provider's word.
    has_ended = left is None or left.status == ProviderSubscriptionStatus.ENDED
    claimed = SubscriptionState.ENDED if has_ended else SubscriptionState(record.state)
    news = ProviderNews(record.provider_subscription_id, claimed.value, ended_at, Provider(record.provider))
    return Step(End(), news, f"the record follows {target.external_id} of {target.get_provider_display()} from now on")


def _is_followed(record: WorkspaceSubscription | None, mirrored: ProviderSubscription) -> bool:
    return record is not None and _name_in(record) == SubscriptionName(mirrored.provider, mirrored.external_id)


def _name_in(record: WorkspaceSubscription) -> SubscriptionName:
    return SubscriptionName(record.provider, record.provider_subscription_id)


def news_of(mirrored: ProviderSubscription, moment: datetime) -> ProviderNews:
    """What the provider says of it, as the service takes it."""
    return ProviderNews(mirrored.external_id, state_of(mirrored).value, moment, Provider(mirrored.provider))


def state_of(mirrored: ProviderSubscription) -> SubscriptionState:
    """The state of a record that follows it; it has begun."""
    state = workspace_state(ProviderSubscriptionStatus(mirrored.status))
    if state is None:
        raise AssertionError(f"{mirrored.external_id} has not begun")
    # Without an end after its start there is no trial; the subscription runs all the same.
    is_trial = verb_between(None, state) == StartTrial.verb
    has_trial = mirrored.trial_ends_at is not None and mirrored.trial_ends_at > start_of(mirrored)
    return SubscriptionState.ACTIVE if is_trial and not has_trial else state


def start_of(mirrored: ProviderSubscription) -> datetime:
    """When it started, as far as the provider has told."""
    return mirrored.started_at or mirrored.news_at


def _start_change(
    mirrored: ProviderSubscription, aim: SubscriptionState
) -> tuple[SubscriptionState, SubscriptionChange]:
    plan_id = _plan_id(mirrored)
    if plan_id is None:
        named = f"names the plan {mirrored.plan_key!r}" if mirrored.plan_key else "names no plan"
        raise UnprocessableError(
            f"The subscription {mirrored.external_id} {named}. Make the slug of an active plan the lookup key of its "
            "price, or put it into the subscription's metadata as `countinghouse_plan`. Then process the event again.",
            code="unknown_plan",
            title="Unknown plan",
        )
    is_trial = verb_between(None, aim) == StartTrial.verb
    if is_trial and mirrored.trial_ends_at is not None:
        return aim, StartTrial(plan_id, mirrored.trial_ends_at, _period(mirrored))
    return SubscriptionState.ACTIVE, Activate(plan_id, _period(mirrored))


def _state_change(
    state: SubscriptionState, aim: SubscriptionState, mirrored: ProviderSubscription
) -> SubscriptionChange:
    verbs: dict[str | None, SubscriptionChange] = {
        Activate.verb: Activate(period=_period(mirrored)),
        MarkPastDue.verb: MarkPastDue(),
        Suspend.verb: Suspend(),
        Resume.verb: Resume(),
    }
    return verbs[verb_between(state, aim)]


def _list_detail_changes(
    record: WorkspaceSubscription | None, mirrored: ProviderSubscription
) -> Iterator[SubscriptionChange]:
    """The differences beside the state. Without a record: of one that was started a moment ago."""
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
