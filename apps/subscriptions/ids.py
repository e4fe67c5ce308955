"""Typed identifiers of the subscriptions app."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

PlanId = NewType("PlanId", UUID)
WorkspaceSubscriptionId = NewType("WorkspaceSubscriptionId", UUID)
PendingChangeId = NewType("PendingChangeId", UUID)
DecisionReceiptId = NewType("DecisionReceiptId", UUID)
