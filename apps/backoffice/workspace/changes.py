"""Which fields of which record a verb changes, read before and after in the preview's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.backoffice.audit_diff import ABSENT, FieldChange, field_changes
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.canonical import plain
from apps.core.ids import WorkspaceId
from apps.subscriptions.enums import (
    ManagedBy,
    PaymentStatus,
    SubscriptionState,
    SubscriptionStatus,
    UsageCategoryOverride,
)
from apps.subscriptions.models import Plan
from apps.subscriptions.selectors.records import open_pending_change, payment_config_of, workspace_subscription_of
from apps.subscriptions.snapshots import overlay_values, payment_config_values, subscription_values
from apps.tenants.models import Workspace

# Fields whose change says nothing to a person.
SILENT = frozenset({"id", "version", "provider"})
LABELS: Mapping[str, str] = {
    "plan_id": "Plan",
    "state": "State",
    "started_at": "Started",
    "trial_ends_at": "Trial ends",
    "current_period_start": "Period starts",
    "current_period_end": "Period ends",
    "cancel_at_period_end": "Cancelled at period end",
    "ended_at": "Ended",
    "managed_by": "Managed by",
    "provider_subscription_id": "Subscription at the provider",
    "payment_status": "Payment status",
    "subscription_status": "Subscription status",
    "grace_period_end_at": "Grace period ends",
    "grace_period_days": "Days of a grace period",
    "usage_category_override": "Usage is billed as",
    "payment_provider_id": "Customer at Stripe",
    "orb_customer_id": "Customer at Orb",
    "manual_lifecycle_state": "Manual overlay",
    "manual_lifecycle_reason": "Reason of the overlay",
    "closed_at": "Closed",
    "due_at": "Due",
}
_MOMENTS = frozenset(
    {
        "started_at",
        "trial_ends_at",
        "current_period_start",
        "current_period_end",
        "ended_at",
        "grace_period_end_at",
        "closed_at",
        "due_at",
    }
)
_WORDS: Mapping[str, type[Any]] = {
    "state": SubscriptionState,
    "managed_by": ManagedBy,
    "payment_status": PaymentStatus,
    "subscription_status": SubscriptionStatus,
    "usage_category_override": UsageCategoryOverride,
}


def label_of(field: str) -> str:
    """What people call the field."""
    return LABELS.get(field, field.replace("_", " ").capitalize())


def in_words(field: str, value: str) -> str:
    """The value as people read it: an enumeration by its label, a moment to the minute."""
    words = _WORDS.get(field)
    if words is not None and value in words.values:
        return str(words(value).label)
    if field in _MOMENTS and value != ABSENT:
        return f"{datetime.fromisoformat(value):%-d %b %Y, %H:%M}"
    return value


def told(changes: list[FieldChange]) -> list[FieldChange]:
    """The changes that say something to a person, in people's words."""
    return [
        FieldChange(
            label_of(change.field),
            in_words(change.field, change.before),
            in_words(change.field, change.after),
            is_changed=True,
        )
        for change in changes
        if change.is_changed and change.field not in SILENT and change.before != change.after
    ]


def changed_fields(subject: WorkspaceSubject, run: Callable[[], object]) -> list[FieldChange]:
    """Carry `run` out and say which fields it changed. The caller rolls back."""
    before = _values(subject.workspace_id)
    run()
    after = _values(subject.workspace_id)
    return told(field_changes(before, after))


def _values(workspace_id: WorkspaceId) -> dict[str, Any]:
    workspace = Workspace.objects.get(pk=workspace_id)
    record = workspace_subscription_of(workspace_id)
    values: dict[str, Any] = subscription_values(record) | overlay_values(workspace)
    config = payment_config_of(workspace.organization_id)  # type: ignore[arg-type]  # the id of a record
    if config is not None:
        values |= payment_config_values(config)
    pending = open_pending_change(workspace_id)
    if pending is not None:
        plan = f" to {pending.plan.name}" if pending.plan else ""
        values["scheduled_change"] = f"{pending.get_kind_display()}{plan} on {pending.due_at:%-d %B %Y}"
    if record is not None:
        values["plan_id"] = record.plan.name
    written = plain(values)
    return written if isinstance(written, dict) else {}


def plan_names(keys: set[str]) -> dict[str, str]:
    """The names of plans by their ids as text, for audit entries, which keep ids."""
    return {
        str(pk): name for pk, name in Plan.objects.filter(pk__in=[UUID(key) for key in keys]).values_list("pk", "name")
    }
