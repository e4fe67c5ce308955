"""Records to read, and the functions that lock them.

Order of locks: workspace, workspace subscription, payment config, and the audit chain last.
"""

from __future__ import annotations

from datetime import datetime

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
