"""What the gate of credits looks at and what a product asks of it. Amounts and quantities in millionths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from apps.core.enums import LifecycleState
from apps.core.ids import OrganizationId, WorkspaceId
from apps.credits.enums import AccountType, OnInsufficient
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import WorkspaceSubscriptionId
from apps.subscriptions.rules.lifecycle import LifecycleFacts, SubscriptionFacts


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account as a product names it."""

    type: AccountType
    id: UUID

    def __str__(self) -> str:
        return f"{self.type.value}:{self.id}"


@dataclass(frozen=True, slots=True)
class Question:
    """Whose account, who acts where, and how much of what."""

    account: AccountRef
    operation: str
    quantity: int
    user_id: UUID | None = None
    workspace_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Consumption:
    """One consumption that a product reports."""

    key: str
    question: Question
    outcome: str
    occurred_at: datetime | None = None
    run_id: str = ""
    hold_id: UUID | None = None
    on_insufficient: OnInsufficient = OnInsufficient.REJECT

    def body(self) -> dict[str, object]:
        """What must be equal for two requests to be the same."""
        question = self.question
        return {
            "account": (question.account.type, question.account.id),
            "operation": question.operation,
            "quantity": question.quantity,
            "outcome": self.outcome,
            "occurred_at": self.occurred_at,
            "user_id": question.user_id,
            "workspace_id": question.workspace_id,
            "run_id": self.run_id,
            "hold_id": self.hold_id,
            "on_insufficient": self.on_insufficient,
        }


@dataclass(frozen=True, slots=True)
class CreditFacts:
    """One row of `credits_facts`: committed state in one snapshot."""

    organization_id: UUID | None
    closed_at: datetime | None
    is_demo: bool
    user_exists: bool
    is_related: bool
    role: str | None
    workspace_organization_id: UUID | None
    overlay: str
    overlay_reason: str
    payment_status: str
    grace_period_end_at: datetime | None
    subscription_status: str
    config_version: int
    category_override: str
    subscription: SubscriptionFacts | None
    has_account: bool
    balance: int
    held: int
    overdraft_limit: int
    next_due_at: datetime | None
    policy_id: UUID | None
    policy_version: int | None
    billing_mode: str
    free_used: int

    @property
    def available(self) -> int:
        """What may still be spent, the overdraft included."""
        return self.balance - self.held + self.overdraft_limit

    def lifecycle_facts(self, workspace_id: UUID | None, at: datetime) -> LifecycleFacts:
        """What the resolver decides upon. Without a workspace the organization alone counts."""
        organization_id = OrganizationId(self.organization_id or UUID(int=0))
        return LifecycleFacts(
            workspace_id=WorkspaceId(workspace_id or organization_id),
            organization_id=organization_id,
            at=at,
            organization_closed_at=self.closed_at,
            payment_status=PaymentStatus(self.payment_status or PaymentStatus.UNINITIALIZED),
            grace_period_end_at=self.grace_period_end_at,
            subscription_status=SubscriptionStatus(self.subscription_status or SubscriptionStatus.PRE_SUBSCRIPTION),
            payment_config_version=self.config_version,
            subscription=self.subscription,
            overlay=LifecycleState(self.overlay) if self.overlay else None,
            overlay_reason=self.overlay_reason,
        )


def facts_from(row: Mapping[str, Any]) -> CreditFacts:
    """The facts as PostgreSQL's JSON spells them."""
    return CreditFacts(
        organization_id=_uuid(row["organization_id"]),
        closed_at=_moment(row["closed_at"]),
        is_demo=bool(row["is_demo"]),
        user_exists=bool(row["user_exists"]),
        is_related=bool(row["is_related"]),
        role=row["role"],
        workspace_organization_id=_uuid(row["workspace_organization_id"]),
        overlay=row["overlay_state"] or "",
        overlay_reason=row["overlay_reason"] or "",
        payment_status=row["payment_status"] or "",
        grace_period_end_at=_moment(row["grace_period_end_at"]),
        subscription_status=row["subscription_status"] or "",
        config_version=row["config_version"] or 0,
        category_override=row["category_override"] or "",
        subscription=_subscription(row),
        has_account=row["has_account"],
        balance=row["balance"],
        held=row["held"],
        overdraft_limit=row["overdraft_limit"],
        next_due_at=_moment(row["next_due_at"]),
        policy_id=_uuid(row["policy_id"]),
        policy_version=row["policy_version"],
        billing_mode=row["billing_mode"] or "",
        free_used=row["free_used"],
    )


def _subscription(row: Mapping[str, Any]) -> SubscriptionFacts | None:
    if row["subscription_id"] is None:
        return None
    return SubscriptionFacts(
        id=WorkspaceSubscriptionId(UUID(row["subscription_id"])),
        state=SubscriptionState(row["subscription_state"]),
        managed_by=ManagedBy(row["managed_by"]),
        version=row["subscription_version"],
        trial_ends_at=_moment(row["trial_ends_at"]),
        current_period_end=_moment(row["current_period_end"]),
    )


# A product names the same organizations, people and workspaces all day, and reading an id costs as much as a rule.
uuid_of = lru_cache(maxsize=16_384)(UUID)


def _uuid(text: str | None) -> UUID | None:
    return uuid_of(text) if text else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
