"""The values of a record as the audit log keeps them, whole, and read back from there.

Each audit entry of this app holds every value of its record, so that the record as of any moment is the last entry
before it, and nothing has to be added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.subscriptions.models import OrganizationPaymentConfig, PendingChange, Plan, WorkspaceSubscription
from apps.tenants.models import Workspace

SUBSCRIPTION_TARGET = "workspace_subscription"
PAYMENT_CONFIG_TARGET = "payment_config"
OVERLAY_TARGET = "workspace"
PENDING_CHANGE_TARGET = "pending_change"
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
    "grace_period_end_at",
    "grace_period_days",
    "usage_category_override",
    "payment_provider_id",
    "orb_customer_id",
    "version",
)
_OVERLAY = ("manual_lifecycle_state", "manual_lifecycle_reason")
_PENDING = ("workspace_id", "kind", "plan_id", "due_at", "status", "reason")
_PLAN = ("slug", "name", "price_minor", "currency", "interval", "is_active")


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


def plan_values(plan: Plan) -> dict[str, Any]:
    """Every value of the plan."""
    return {name: getattr(plan, name) for name in _PLAN}


def moment_in(values: Mapping[str, Any], name: str) -> datetime | None:
    """A moment as an audit entry keeps it, back as a moment."""
    text = values.get(name)
    return datetime.fromisoformat(text) if text else None
