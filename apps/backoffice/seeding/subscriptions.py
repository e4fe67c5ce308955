"""Sample plans, and subscriptions in different states."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from apps.backoffice.seeding.data import PLANS, seed_id
from apps.backoffice.seeding.payments import MONTH, PERIOD_AGE
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleState
from apps.core.ids import WorkspaceId
from apps.subscriptions.contracts import (
    Activate,
    Period,
    StartTrial,
    SubscriptionChange,
    Suspend,
)
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.subscriptions.selectors.records import workspace_subscription_of
from apps.subscriptions.services import (
    PlanParams,
    overlay_set,
    plan_upsert,
    subscription_change,
)
from apps.tenants.models import Workspace

REASON = "sample data"


def seed_plans(context: ExecutionContext) -> None:
    """Create the plans; what Stripe tells of a subscription names one of them."""
    for slug, name, price in PLANS:
        _seed_plan(context, slug, name, price)


def seed_subscriptions(context: ExecutionContext) -> None:
    """Subscribe the workspaces that staff manage; the others follow Stripe. Existing subscriptions stay as they are."""
    team, now = PlanId(Plan.objects.get(slug="team").pk), clock.now()
    trial = StartTrial(plan_id=team, trial_ends_at=now + timedelta(days=9))
    _seed_subscription(context, "northwind-staging", (now - timedelta(days=5), trial))
    began = now - PERIOD_AGE
    active = Activate(plan_id=team, period=Period(start=began, end=began + MONTH))
    _seed_subscription(context, "northwind-research", (began, active), (now - timedelta(days=3), Suspend()))


def _seed_plan(context: ExecutionContext, slug: str, name: str, price_minor: int) -> Plan:
    return plan_upsert(context, slug=slug, params=PlanParams(name=name, price_minor=price_minor), reason=REASON)


def _seed_subscription(context: ExecutionContext, slug: str, *changes: tuple[datetime, SubscriptionChange]) -> None:
    workspace_id = WorkspaceId(seed_id(f"workspace:{slug}"))
    if workspace_subscription_of(workspace_id) is not None:
        return
    with transaction.atomic():
        for version, (at, change) in enumerate(changes):
            with clock.as_of(at):
                subscription_change(
                    context, workspace_id=workspace_id, change=change, reason=REASON, expected_version=version
                )


def seed_overlay(context: ExecutionContext, workspace_id: WorkspaceId) -> None:
    """Make the demo active by an overlay, as it has no subscription."""
    if not Workspace.objects.get(pk=workspace_id).manual_lifecycle_state:
        overlay_set(context, workspace_id=workspace_id, state=LifecycleState.ACTIVE, reason="the demo is open")
