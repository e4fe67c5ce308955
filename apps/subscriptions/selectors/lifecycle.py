"""The facts that the lifecycle resolver rests on, of one or of many workspaces in one query."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from apps.core import clock
from apps.core.enums import LifecycleState
from apps.core.errors import NotFoundError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import WorkspaceSubscriptionId
from apps.subscriptions.rules.lifecycle import (
    LifecycleDecision,
    LifecycleFacts,
    SubscriptionFacts,
    resolve,
)
from apps.subscriptions.rules.payment_transitions import speaks_of_named_workspaces
from apps.tenants.models import Workspace

_CONFIG, _RECORD = "organization__payment_config", "subscription"
_COLUMNS = (
    "pk",
    "organization_id",
    "organization__closed_at",
    "manual_lifecycle_state",
    "manual_lifecycle_reason",
    f"{_CONFIG}__payment_status",
    f"{_CONFIG}__grace_period_end_at",
    f"{_CONFIG}__subscription_status",
    f"{_CONFIG}__subscription_scope",
    f"{_CONFIG}__version",
    f"{_RECORD}__pk",
    f"{_RECORD}__state",
    f"{_RECORD}__managed_by",
    f"{_RECORD}__version",
    f"{_RECORD}__trial_ends_at",
    f"{_RECORD}__current_period_end",
)


def lifecycle_facts(
    workspace_ids: Iterable[WorkspaceId], *, at: datetime | None = None
) -> dict[WorkspaceId, LifecycleFacts]:
    """The facts of each workspace that exists, in one query. `at` only dates the review flags; default: now."""
    moment = at or clock.now()
    rows = Workspace.objects.filter(pk__in=list(workspace_ids)).values(*_COLUMNS)
    return {WorkspaceId(row["pk"]): _facts(row, moment) for row in rows}


def workspace_facts(workspace_id: WorkspaceId, *, at: datetime | None = None) -> LifecycleFacts:
    """The facts of one workspace; raises `NotFoundError` `unknown_workspace`."""
    facts = lifecycle_facts([workspace_id], at=at).get(workspace_id)
    if facts is None:
        raise unknown_workspace(workspace_id)
    return facts


def workspace_lifecycle(workspace_id: WorkspaceId) -> LifecycleDecision:
    """What the workspace may do now, and why; raises `NotFoundError` `unknown_workspace`."""
    return resolve(workspace_facts(workspace_id))


def workspace_lifecycles(workspace_ids: Iterable[WorkspaceId]) -> dict[WorkspaceId, LifecycleDecision]:
    """The decisions of many workspaces, in one query."""
    return {workspace_id: resolve(facts) for workspace_id, facts in lifecycle_facts(workspace_ids).items()}


def unknown_workspace(workspace_id: WorkspaceId) -> NotFoundError:
    """The answer for a workspace that is not there."""
    return NotFoundError(
        f"There is no workspace {workspace_id}. Make it first: POST workspaces:upsert.",
        code="unknown_workspace",
        title="Unknown workspace",
    )


def _facts(row: dict[str, Any], moment: datetime) -> LifecycleFacts:
    return LifecycleFacts(
        workspace_id=WorkspaceId(row["pk"]),
        organization_id=OrganizationId(row["organization_id"]),
        at=moment,
        organization_closed_at=row["organization__closed_at"],
        # An organization that is just being made has no config yet; it reads as a fresh one.
        payment_status=PaymentStatus(row[f"{_CONFIG}__payment_status"] or PaymentStatus.UNINITIALIZED),
        grace_period_end_at=row[f"{_CONFIG}__grace_period_end_at"],
        subscription_status=SubscriptionStatus(
            row[f"{_CONFIG}__subscription_status"] or SubscriptionStatus.PRE_SUBSCRIPTION
        ),
        only_named_workspaces=speaks_of_named_workspaces(row[f"{_CONFIG}__subscription_scope"]),
        payment_config_version=row[f"{_CONFIG}__version"] or 0,
        subscription=_subscription(row) if row[f"{_RECORD}__pk"] else None,
        overlay=LifecycleState(row["manual_lifecycle_state"]) if row["manual_lifecycle_state"] else None,
        overlay_reason=row["manual_lifecycle_reason"],
    )


def _subscription(row: dict[str, Any]) -> SubscriptionFacts:
    return SubscriptionFacts(
        id=WorkspaceSubscriptionId(row[f"{_RECORD}__pk"]),
        state=SubscriptionState(row[f"{_RECORD}__state"]),
        managed_by=ManagedBy(row[f"{_RECORD}__managed_by"]),
        version=row[f"{_RECORD}__version"],
        trial_ends_at=row[f"{_RECORD}__trial_ends_at"],
        current_period_end=row[f"{_RECORD}__current_period_end"],
    )
