"""Records to read, and the functions that lock them.

Order of locks: workspace, workspace subscription, payment config, and the audit chain last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditEntry
from apps.subscriptions.enums import EvidenceSubject, PendingChangeStatus, SubscriptionState
from apps.subscriptions.ids import PendingChangeId, PlanId
from apps.subscriptions.models import (
    OrganizationPaymentConfig,
    PendingChange,
    Plan,
    ProviderEvidence,
    WorkspaceNote,
    WorkspaceSubscription,
)
from apps.subscriptions.snapshots import SUBSCRIPTION_TARGET


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


@dataclass(frozen=True, slots=True)
class ManagementDifference:
    """A provider's newest claim that changed nothing, and the entry of the change that it contradicts (spec 03)."""

    evidence: ProviderEvidence
    held: AuditEntry | None
    sentence: str


def management_difference(workspace_id: WorkspaceId) -> ManagementDifference | None:
    """The difference to show; None where the provider claims nothing else, or manages the record."""
    evidence = latest_evidence(workspace_id)
    record = workspace_subscription_of(workspace_id)
    if evidence is None or record is None or record.managed_by == evidence.provider:
        return None
    if evidence.claimed_state == record.state:
        return None
    held = (
        AuditEntry.objects.filter(workspace_id=workspace_id, target_type=SUBSCRIPTION_TARGET)
        .order_by("-sequence")
        .first()
    )
    ours = (
        f"{held.actor_label} set {_label_of(record.state)} on {held.recorded_at.day} {held.recorded_at:%B}"
        if held
        else ""
    )
    theirs = (
        f"{evidence.get_provider_display()} says {_label_of(evidence.claimed_state)} since "
        f"{evidence.claimed_at.day} {evidence.claimed_at:%B}"
    )
    return ManagementDifference(evidence, held, f"{theirs}; {ours or f'the record is {_label_of(record.state)}'}.")


def _label_of(state: str) -> str:
    # A provider may claim a state that is none of ours; then its own word is shown.
    return dict(SubscriptionState.choices).get(state, state).lower()
