"""Records to read, the functions that lock them, and the values of a record as the audit log keeps them.

Order of locks: workspace, workspace subscription, payment config, and the audit chain last. Each audit entry of this
app holds every value of its record, so that the record as of any moment is the last entry before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.enums import EvidenceSubject, PendingChangeStatus
from apps.subscriptions.ids import PendingChangeId, PlanId
from apps.subscriptions.models import (
    OrganizationPaymentConfig,
    PendingChange,
    Plan,
    ProviderEvidence,
    WorkspaceNote,
    WorkspaceSubscription,
)
from apps.tenants.models import Organization, Workspace

SUBSCRIPTION_TARGET = "workspace_subscription"
PAYMENT_CONFIG_TARGET = "payment_config"
OVERLAY_TARGET = "workspace"
PENDING_CHANGE_TARGET = "pending_change"
ORGANIZATION_TARGET = "organization"
PLAN_TARGET = "plan"

_SUBSCRIPTION = (
    "id",
    "plan_id",
    "state",
    "started_at",
    "trial_ends_at",
    "current_period_start",
    "current_period_end",
    "cancel_at_period_end",
    "ended_at",
    "managed_by",
    "provider",
    "provider_subscription_id",
    "version",
)
_PAYMENT_CONFIG = (
    "payment_status",
    "subscription_status",
    "subscription_scope",
    "grace_period_end_at",
    "grace_period_days",
    "usage_category_override",
    "payment_provider_id",
    "orb_customer_id",
    "version",
)
_OVERLAY = ("manual_lifecycle_state", "manual_lifecycle_reason")
_PENDING = ("workspace_id", "kind", "plan_id", "due_at", "status", "reason")
_PLAN = (
    *("slug", "name", "price_minor", "currency", "interval", "is_active"),
    *("credit_allowance", "credit_cadence", "credit_expires_after_days", "credit_rollover_cap"),
)


def workspace_subscription_for_update(workspace_id: WorkspaceId) -> WorkspaceSubscription | None:
    """Lock the current record until the transaction ends; the caller has locked the workspace before."""
    return WorkspaceSubscription.objects.select_for_update(no_key=True).filter(workspace=workspace_id).first()


def payment_config_for_update(organization_id: OrganizationId) -> OrganizationPaymentConfig | None:
    """Lock the organization's payment config until the transaction ends."""
    return OrganizationPaymentConfig.objects.select_for_update(no_key=True).filter(organization=organization_id).first()


def pending_change_for_update(pending_change_id: PendingChangeId) -> PendingChange | None:
    """Lock the scheduled change; the caller has locked its workspace before."""
    return PendingChange.objects.select_for_update(no_key=True).filter(pk=pending_change_id).first()


def plan_for_update(slug: str) -> Plan | None:
    """Lock the plan with this slug."""
    return Plan.objects.select_for_update(no_key=True).filter(slug=slug).first()


def plan_of(plan_id: PlanId) -> Plan | None:
    """The plan, to read."""
    return Plan.objects.filter(pk=plan_id).first()


def workspace_subscription_of(workspace_id: WorkspaceId) -> WorkspaceSubscription | None:
    """The current record with its plan, to read."""
    return WorkspaceSubscription.objects.select_related("plan").filter(workspace=workspace_id).first()


def payment_config_of(organization_id: OrganizationId) -> OrganizationPaymentConfig | None:
    """The organization's payment config, to read."""
    return OrganizationPaymentConfig.objects.filter(organization=organization_id).first()


def open_pending_change(workspace_id: WorkspaceId) -> PendingChange | None:
    """The scheduled change that waits for somebody's word, if there is one."""
    return (
        PendingChange.objects.select_related("plan")
        .filter(workspace=workspace_id, status=PendingChangeStatus.OPEN)
        .first()
    )


def is_due(pending: PendingChange, moment: datetime) -> bool:
    """Whether the open scheduled change waits for a word since before `moment`."""
    return pending.status == PendingChangeStatus.OPEN and pending.due_at <= moment


def workspace_notes(workspace_id: WorkspaceId) -> QuerySet[WorkspaceNote]:
    """The workspace's notes, newest first."""
    return WorkspaceNote.objects.filter(workspace=workspace_id).order_by("-written_at", "-pk")


def latest_evidence(workspace_id: WorkspaceId) -> ProviderEvidence | None:
    """The newest news about the workspace's subscription that changed nothing, by the provider's own time."""
    return (
        ProviderEvidence.objects.filter(workspace=workspace_id, subject=EvidenceSubject.WORKSPACE_SUBSCRIPTION)
        .order_by("-claimed_at", "-received_at")
        .first()
    )


def subscription_values(record: WorkspaceSubscription | None) -> dict[str, Any]:
    """Every value of the record; empty where there is none."""
    return {} if record is None else {name: getattr(record, name) for name in _SUBSCRIPTION}


def payment_config_values(config: OrganizationPaymentConfig) -> dict[str, Any]:
    """Every value of the payment config."""
    return {name: getattr(config, name) for name in _PAYMENT_CONFIG}


def overlay_values(workspace: Workspace) -> dict[str, Any]:
    """The manual overlay of the workspace with its reason; both empty where none is set."""
    return {name: getattr(workspace, name) for name in _OVERLAY}


def pending_change_values(pending: PendingChange) -> dict[str, Any]:
    """What the scheduled change says."""
    return {name: getattr(pending, name) for name in _PENDING}


def _pending_values(workspace: Workspace) -> dict[str, Any]:
    pending = open_pending_change(WorkspaceId(workspace.pk))
    return {"id": pending.pk, **pending_change_values(pending)} if pending else {}


def _config_values(workspace: Workspace) -> dict[str, Any]:
    config = payment_config_for_update(OrganizationId(workspace.organization_id))
    return payment_config_values(config) if config else {}


def _closing_values(workspace: Workspace) -> dict[str, Any]:
    organizations = Organization.objects.filter(pk=workspace.organization_id)
    return {"closed_at": organizations.values_list("closed_at", flat=True).get()}


# What a preview rests on, in the order of locks; the workspace is locked before. Each by the target of its audit
# entries: from these a preview that is refused says what changed, so that there is no change that it can't name.
PREVIEWED_STATE: Mapping[str, Callable[[Workspace], dict[str, Any]]] = {
    SUBSCRIPTION_TARGET: lambda workspace: subscription_values(
        workspace_subscription_for_update(WorkspaceId(workspace.pk))
    ),
    PAYMENT_CONFIG_TARGET: _config_values,
    OVERLAY_TARGET: overlay_values,
    ORGANIZATION_TARGET: _closing_values,
    PENDING_CHANGE_TARGET: _pending_values,
}


def plan_values(plan: Plan) -> dict[str, Any]:
    """Every value of the plan."""
    return {name: getattr(plan, name) for name in _PLAN}


def moment_in(values: Mapping[str, Any], name: str) -> datetime | None:
    """A moment as an audit entry keeps it, back as a moment."""
    text = values.get(name)
    return datetime.fromisoformat(text) if text else None
