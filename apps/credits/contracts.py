"""What the gate of credits looks at and what a product asks of it. Amounts and quantities in millionths.

Structs, since each request makes several, a batch thousands, and a frozen dataclass takes ten times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleState
from apps.core.ids import OrganizationId, WorkspaceId
from apps.credits.enums import AccountType, OnInsufficient
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.ids import WorkspaceSubscriptionId
from apps.subscriptions.rules.lifecycle import LifecycleFacts, SubscriptionFacts


class AccountRef(msgspec.Struct, frozen=True):
    """An account as a product names it."""

    type: AccountType
    id: UUID

    def __str__(self) -> str:
        return f"{self.type.value}:{self.id}"


class Question(msgspec.Struct, frozen=True):
    """Whose account, who acts where, and how much of what."""

    account: AccountRef
    operation: str
    quantity: int
    user_id: UUID | None = None
    workspace_id: UUID | None = None


class Consumption(msgspec.Struct, frozen=True):
    """One consumption that a product reports."""

    key: str
    question: Question
    outcome: str
    occurred_at: datetime | None = None
    run_id: str = ""
    hold_id: UUID | None = None
    on_insufficient: OnInsufficient = OnInsufficient.REJECT
    local_charge: int | None = None

    @property
    def is_booked(self) -> bool:
        """Whether it is only to be booked, as it has happened already: membership, lifecycle and balance don't refuse.

        One with a `local_charge` is, too, where the product decides; that is known with the account's facts alone.
        """
        return self.on_insufficient is OnInsufficient.RECORD

    def body(self) -> dict[str, object]:
        """What must be equal for two requests to be the same: the fields of the first release."""
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

    def younger(self) -> dict[str, object]:
        """The fields since then, which count where they were sent."""
        return {"local_charge": self.local_charge}


def scope_of(context: ExecutionContext) -> str:
    """Whose idempotency keys they are: each product's own, and one space for people and the console (spec 05)."""
    return f"product:{context.product_id}" if context.product_id else "staff"


class CreditFacts(msgspec.Struct, frozen=True):
    """One row of `credits_facts_3`, named as its columns: committed state in one snapshot."""

    organization_id: UUID | None
    closed_at: datetime | None
    is_demo: bool | None
    user_exists: bool
    is_related: bool
    role: str | None
    workspace_organization_id: UUID | None
    overlay_state: str | None
    overlay_reason: str | None
    payment_status: PaymentStatus | None
    grace_period_end_at: datetime | None
    subscription_status: SubscriptionStatus | None
    only_named_workspaces: bool
    config_version: int | None
    category_override: str | None
    subscription_id: UUID | None
    subscription_state: SubscriptionState | None
    managed_by: ManagedBy | None
    subscription_version: int | None
    trial_ends_at: datetime | None
    current_period_end: datetime | None
    has_account: bool
    balance: int
    held: int
    overdraft_limit: int
    next_due_at: datetime | None
    policy_id: UUID | None
    policy_version: int | None
    policy_from: datetime | None
    billing_mode: str | None
    free_used: int
    free_month: date
    free_month_ends_at: datetime
    is_late: bool

    def missing_member(self, user_id: UUID | None) -> list[tuple[UUID, UUID]]:
        """The organization and the acting user who is no member of it, if there is one."""
        if user_id is None or self.organization_id is None or self.role is not None:
            return []
        return [(self.organization_id, user_id)]

    @property
    def subscription(self) -> SubscriptionFacts | None:
        """The workspace's record, where it has one."""
        state, managed_by, version = self.subscription_state, self.managed_by, self.subscription_version
        if self.subscription_id is None or state is None or managed_by is None or version is None:
            return None
        return SubscriptionFacts(
            id=WorkspaceSubscriptionId(self.subscription_id),
            state=state,
            managed_by=managed_by,
            version=version,
            trial_ends_at=self.trial_ends_at,
            current_period_end=self.current_period_end,
        )

    def lifecycle_facts(self, workspace_id: UUID | None, at: datetime) -> LifecycleFacts:
        """What the resolver decides upon. Without a workspace the organization alone counts."""
        organization_id = OrganizationId(self.organization_id or UUID(int=0))
        return LifecycleFacts(
            workspace_id=WorkspaceId(workspace_id or organization_id),
            organization_id=organization_id,
            at=at,
            organization_closed_at=self.closed_at,
            payment_status=self.payment_status or PaymentStatus.UNINITIALIZED,
            grace_period_end_at=self.grace_period_end_at,
            subscription_status=self.subscription_status or SubscriptionStatus.PRE_SUBSCRIPTION,
            only_named_workspaces=self.only_named_workspaces,
            payment_config_version=self.config_version or 0,
            subscription=self.subscription,
            overlay=LifecycleState(self.overlay_state) if self.overlay_state else None,
            overlay_reason=self.overlay_reason or "",
        )


def facts_from(row: Mapping[str, Any]) -> CreditFacts:
    """The facts that a statement answered among other things."""
    return msgspec.convert(row, CreditFacts)


# A product names the same organizations, people and workspaces all day, and reading an id costs as much as a rule.
uuid_of = lru_cache(maxsize=16_384)(UUID)
