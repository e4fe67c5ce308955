"""What a provider says and what we hold, side by side (spec 03, Mutation)."""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.models import ProviderEvidence
from apps.subscriptions.selectors.records import latest_evidence, workspace_subscription_of
from apps.subscriptions.snapshots import SUBSCRIPTION_TARGET


@dataclass(frozen=True, slots=True)
class ManagementDifference:
    """A provider's newest claim that changed nothing, and the word of staff that stands against it."""

    evidence: ProviderEvidence
    held: AuditEntry | None
    sentence: str


def management_difference(workspace_id: WorkspaceId) -> ManagementDifference | None:
    """The difference to show; None where the provider has said nothing else, or is in charge of the record."""
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
        f"{held.actor_label} set {_words(record.state)} on {held.recorded_at.day} {held.recorded_at:%B}" if held else ""
    )
    theirs = (
        f"{evidence.get_provider_display()} says {_words(evidence.claimed_state)} since "
        f"{evidence.claimed_at.day} {evidence.claimed_at:%B}"
    )
    return ManagementDifference(evidence, held, f"{theirs}; {ours or f'the record is {_words(record.state)}'}.")


def _words(state: str) -> str:
    # A provider may claim a state that is none of ours; then its own word is shown.
    return dict(SubscriptionState.choices).get(state, state).lower()
