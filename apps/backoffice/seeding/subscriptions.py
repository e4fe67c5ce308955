"""Sample plans, and subscriptions in different states."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from apps.backoffice.seeding.data import seed_id
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleState
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.contracts import (
    Activate,
    MarkOkay,
    PaymentConfigChange,
    Period,
    StartGrace,
    StartTrial,
    SubscriptionChange,
    Suspend,
)
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.subscriptions.selectors.records import payment_config_of, workspace_subscription_of
from apps.subscriptions.services import (
    PlanParams,
    overlay_set,
    payment_config_change,
    plan_upsert,
    subscription_change,
)
from apps.tenants.access import task_context
from apps.tenants.models import Workspace

REASON = "sample data"
PLANS = (("starter", "Starter", 1900), ("team", "Team", 4900), ("business", "Business", 19900))


def seed_subscriptions(context: ExecutionContext) -> None:
    """Create the plans and a subscription for each sample workspace; existing subscriptions stay as they are."""
    plans = {slug: _seed_plan(context, slug, name, price) for slug, name, price in PLANS}
    now = clock.now()
    period = Period(start=now - timedelta(days=12), end=now + timedelta(days=18))
    business, team = PlanId(plans["business"].pk), PlanId(plans["team"].pk)
    trial_end = now + timedelta(days=9)
    _seed_subscription(context, "northwind-production", Activate(plan_id=business, period=period))
    _seed_subscription(context, "northwind-staging", StartTrial(plan_id=team, trial_ends_at=trial_end))
    _seed_subscription(context, "northwind-research", Activate(plan_id=team, period=period), Suspend())
    _seed_subscription(context, "ines", Activate(plan_id=PlanId(plans["starter"].pk), period=period))
    # Payments move by a provider's news or by the schedule, never by hand from here: the sample plays the schedule.
    schedule = task_context("seed-demo", request_id=context.request_id)
    for slug, is_failing in (("northwind", False), ("ines-ibarra", True)):
        _seed_payments(schedule, OrganizationId(seed_id(f"organization:{slug}")), is_failing=is_failing)


def _seed_plan(context: ExecutionContext, slug: str, name: str, price_minor: int) -> Plan:
    return plan_upsert(context, slug=slug, params=PlanParams(name=name, price_minor=price_minor), reason=REASON)


def _seed_subscription(context: ExecutionContext, slug: str, *changes: SubscriptionChange) -> None:
    workspace_id = WorkspaceId(seed_id(f"workspace:{slug}"))
    if workspace_subscription_of(workspace_id) is not None:
        return
    with transaction.atomic():
        for version, change in enumerate(changes):
            subscription_change(
                context, workspace_id=workspace_id, change=change, reason=REASON, expected_version=version
            )


def seed_lifecycle(context: ExecutionContext, *, organization_id: OrganizationId, workspace_id: WorkspaceId) -> None:
    """Make the demo active: by an overlay, as it has no subscription, and with payment status okay."""
    if not Workspace.objects.get(pk=workspace_id).manual_lifecycle_state:
        overlay_set(context, workspace_id=workspace_id, state=LifecycleState.ACTIVE, reason="the demo is open")
    schedule = task_context("seed-demo", request_id=context.request_id)
    _seed_payments(schedule, organization_id, is_failing=False)


def _seed_payments(context: ExecutionContext, organization_id: OrganizationId, *, is_failing: bool) -> None:
    config = payment_config_of(organization_id)
    if config is None or config.version > 1:  # seeded before, or changed by somebody since
        return
    changes: list[PaymentConfigChange] = [MarkOkay()]
    if is_failing:
        changes.append(StartGrace(started_at=clock.now() - timedelta(days=3)))
    with transaction.atomic():
        for change in changes:
            payment_config_change(context, organization_id=organization_id, change=change, reason=REASON)
