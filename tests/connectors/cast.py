"""The connectors of the tests: rows as they would be after onboarding, without asking any provider."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from apps.connectors.enums import ConnectorStatus, SyncStatus, SyncTrigger
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, SyncRun
from apps.core import clock
from apps.core.enums import AuthorizationSource, Role
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.contracts import Activate, MarkPastDue, Period, Suspend, WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.tenants.models import Workspace
from tests.factories.tenants import make_organization, make_workspace
from tests.subscriptions.cast import make_plan, staff_change

_numbers = itertools.count(1)


def make_active_workspace(*, is_demo: bool = False) -> Workspace:
    """A workspace of an organization of its own, with an active subscription."""
    workspace = make_workspace(make_organization(f"Northwind {next(_numbers)}", is_demo=is_demo))
    activate(workspace)
    return workspace


def activate(workspace: Workspace) -> None:
    """Give the workspace an active subscription, so that its lifecycle allows everything."""
    plan = Plan.objects.filter(slug="team").first() or make_plan()
    now = clock.now()
    place = WorkspacePlace(WorkspaceId(workspace.pk), OrganizationId(workspace.organization_id))
    staff_change(place, Activate(PlanId(plan.pk), Period(now, now + timedelta(days=30))))
    workspace.refresh_from_db()
    assert workspace.subscription.state == SubscriptionState.ACTIVE


def suspend(workspace: Workspace) -> None:
    """Suspend the workspace's subscription: its lifecycle allows no edit any more."""
    staff_change(WorkspacePlace(WorkspaceId(workspace.pk), OrganizationId(workspace.organization_id)), Suspend())


def begin_grace(workspace: Workspace) -> None:
    """A payment is late: the workspace's lifecycle allows syncs, and no edit."""
    staff_change(WorkspacePlace(WorkspaceId(workspace.pk), OrganizationId(workspace.organization_id)), MarkPastDue())


def make_connector(
    workspace: Workspace, status: ConnectorStatus = ConnectorStatus.ENABLED, provider: str = "stripe"
) -> Connector:
    """A connector of the workspace in a status that it can have without a cause."""
    return Connector.objects.create(
        workspace=workspace, provider=provider, name=f"{provider} {next(_numbers)}", status=status
    )


def make_sync_run(connector: Connector | None = None, **values: Any) -> SyncRun:
    """One run of the schedule that failed, unless said otherwise."""
    now = clock.now()
    first: dict[str, Any] = {
        "connector": connector or make_connector(make_workspace(make_organization())),
        "month": "2026-10",
        "trigger": SyncTrigger.SCHEDULE,
        "reason": "due",
        "status": SyncStatus.FAILED,
        "actor_label": "scheduler:billing-sync",
        "role": Role.SYSTEM,
        "authorization_source": AuthorizationSource.SCHEDULER,
        "request_id": "a-request",
        "error_code": "provider_unavailable",
        "error": "The provider does not answer.",
        "created_at": now,
        "finished_at": now,
    }
    run: SyncRun = SyncRun.objects.create(**{**first, **values})
    return run


def id_of(connector: Connector) -> ConnectorId:
    """The typed id."""
    return ConnectorId(connector.pk)


def statuses(*connectors: Connector) -> list[str]:
    """The statuses as the database has them now."""
    found = dict(Connector.objects.values_list("pk", "status"))
    return [found[connector.pk] for connector in connectors]
