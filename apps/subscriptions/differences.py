"""What a provider claims beside what the record says (spec 03, Mutation)."""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.models import ProviderEvidence, WorkspaceSubscription
from apps.subscriptions.selectors.records import SUBSCRIPTION_TARGET, latest_evidence, workspace_subscription_of


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


def contradicts(record: WorkspaceSubscription, claimed: SubscriptionState) -> bool:
    """Whether a provider claims another state than the record has."""
    return claimed.value != record.state


def _label_of(state: str) -> str:
    # A provider may claim a state that is none of ours; then its own word is shown.
    return dict(SubscriptionState.choices).get(state, state).lower()
