"""Records of the subscriptions app: fields and constraints, no rules."""

from __future__ import annotations

from apps.subscriptions.models.evidence import ProviderEvidence
from apps.subscriptions.models.notes import WorkspaceNote
from apps.subscriptions.models.payment_configs import OrganizationPaymentConfig
from apps.subscriptions.models.pending_changes import PendingChange
from apps.subscriptions.models.plans import Plan
from apps.subscriptions.models.receipts import DecisionReceipt
from apps.subscriptions.models.subscriptions import WorkspaceSubscription

__all__ = [
    "DecisionReceipt",
    "OrganizationPaymentConfig",
    "PendingChange",
    "Plan",
    "ProviderEvidence",
    "WorkspaceNote",
    "WorkspaceSubscription",
]
