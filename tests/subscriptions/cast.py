"""The fixed cast of these tests: one plan or two, one workspace, staff, and providers that speak."""

from __future__ import annotations

import itertools
import random
import uuid
from datetime import datetime, timedelta

from django.db import connection

from apps.core import clock
from apps.core.context import Actor, ExecutionContext
from apps.core.enums import ActorKind, AuthorizationSource, Role
from apps.core.ids import OrganizationId, RequestId, WorkspaceId
from apps.subscriptions.contracts import (
    Activate,
    ChangePlan,
    End,
    HandToProvider,
    MarkPastDue,
    Period,
    ProviderNews,
    Resume,
    SetCancelAtPeriodEnd,
    StartTrial,
    SubscriptionChange,
    Suspend,
    TakeOver,
    UpdatePeriod,
    WorkspacePlace,
)
from apps.subscriptions.enums import Provider, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.services import PlanParams, SubscriptionOutcome, plan_upsert, subscription_change
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_organization, make_workspace

REASON = "the customer asked for it"
_numbers = itertools.count(1)


def make_place() -> WorkspacePlace:
    """A workspace of an organization of its own, with nothing bought."""
    organization = make_organization(f"Northwind {next(_numbers)}")
    workspace = make_workspace(organization)
    return WorkspacePlace(WorkspaceId(workspace.pk), OrganizationId(organization.pk))


def make_plan(slug: str = "team") -> Plan:
    """An active plan."""
    return plan_upsert(console_context(), slug=slug, params=PlanParams(name=slug.title(), price_minor=4900))


def provider_context(provider: Provider = Provider.STRIPE) -> ExecutionContext:
    """A provider's, known by the signature of its webhook."""
    return ExecutionContext(
        actor=Actor(ActorKind.PROVIDER, provider.value, provider.value),
        role=Role.PROVIDER,
        authorization_source=AuthorizationSource.WEBHOOK_SIGNATURE,
        request_id=RequestId(f"test-{uuid.uuid4().hex[:12]}"),
    )


def news(state: str = "active", object_id: str = "sub_1", at: datetime | None = None) -> ProviderNews:
    """What a provider's event says."""
    return ProviderNews(object_id=object_id, claimed_state=state, claimed_at=at or clock.now())


def every_change(plan_id: PlanId) -> dict[str, SubscriptionChange]:
    """One change for each verb, with values that are possible now."""
    now = clock.now()
    period = Period(now, now + timedelta(days=30))
    changes: list[SubscriptionChange] = [
        StartTrial(plan_id, now + timedelta(days=14)),
        Activate(plan_id, period),
        ChangePlan(plan_id),
        MarkPastDue(),
        Suspend(),
        Resume(),
        End(),
        SetCancelAtPeriodEnd(value=True),
        UpdatePeriod(period),
        HandToProvider(Provider.STRIPE, f"sub_{uuid.uuid4().hex[:8]}"),
        TakeOver(),
    ]
    return {change.verb: change for change in changes}


def version_of(workspace_id: WorkspaceId) -> int:
    """The version that somebody who looks now sees; 0 without a record."""
    return WorkspaceSubscription.objects.filter(workspace=workspace_id).values_list("version", flat=True).first() or 0


def staff_change(
    place: WorkspacePlace, change: SubscriptionChange, context: ExecutionContext | None = None
) -> SubscriptionOutcome:
    """What a staff member does who has just looked."""
    return subscription_change(
        context or staff_context(),
        workspace_id=place.workspace_id,
        change=change,
        reason=REASON,
        expected_version=version_of(place.workspace_id),
    )


# The shortest way from no record to each state.
WAY_TO: dict[SubscriptionState | None, tuple[str, ...]] = {
    None: (),
    SubscriptionState.TRIALING: ("start_trial",),
    SubscriptionState.ACTIVE: ("activate",),
    SubscriptionState.PAST_DUE: ("activate", "mark_past_due"),
    SubscriptionState.SUSPENDED: ("activate", "suspend"),
    SubscriptionState.ENDED: ("activate", "end"),
}


def lead_to(place: WorkspacePlace, state: SubscriptionState | None, plan_id: PlanId) -> None:
    """Bring a fresh workspace's subscription into the state, through the service."""
    changes = every_change(plan_id)
    for verb in WAY_TO[state]:
        staff_change(place, changes[verb])


def chance_of(seed: int) -> random.Random:
    """Chance that can be repeated."""
    return random.Random(seed)  # noqa: S311 - it need not be secret, it must repeat


def close_connection() -> None:
    """Every thread of a race ends with this, so that the test database can be dropped."""
    connection.close()
