"""Labels and colours of lifecycle states, allowances and fields of records. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.safestring import SafeString

from apps.backoffice.audit_diff import ABSENT, FieldChange
from apps.backoffice.cells import Tone, badge
from apps.core.enums import LifecycleNeed, LifecycleState
from apps.subscriptions.enums import (
    ManagedBy,
    PaymentStatus,
    SubscriptionScope,
    SubscriptionState,
    SubscriptionStatus,
    UsageCategoryOverride,
)
from apps.subscriptions.messages import ALLOWANCE_WORDS, NEED_WORDS, STATE_WORDS
from apps.subscriptions.models import Plan
from apps.subscriptions.rules.lifecycle import Allowance, LifecycleDecision

TONES: Mapping[LifecycleState, Tone] = {
    LifecycleState.PRE_SUBSCRIPTION: "info",
    LifecycleState.TRIAL: "good",
    LifecycleState.ACTIVE: "good",
    LifecycleState.GRACE: "warn",
    LifecycleState.SUSPENDED_READ_ONLY: "bad",
    LifecycleState.CLOSED: "bad",
}
_MARKS: Mapping[Allowance, tuple[Tone, str]] = {
    Allowance.YES: ("good", "check"),
    Allowance.WITH_WARNING: ("warn", "warning"),
    Allowance.FROM_GRANTS_ONLY: ("warn", "warning"),
    Allowance.OWNER_ONLY: ("warn", "warning"),
    Allowance.NO: ("bad", "close"),
}

# Fields whose change says nothing to a person.
_SILENT = frozenset({"id", "version", "provider"})
_FIELDS: Mapping[str, str] = {
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
    "subscription_scope": "Subscribed for",
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
_ENUMS: Mapping[str, type[Any]] = {
    "state": SubscriptionState,
    "managed_by": ManagedBy,
    "payment_status": PaymentStatus,
    "subscription_status": SubscriptionStatus,
    "subscription_scope": SubscriptionScope,
    "usage_category_override": UsageCategoryOverride,
}


@dataclass(frozen=True, slots=True)
class AllowedLine:
    """One class of operations and whether it is allowed."""

    label: str
    answer: str
    tone: Tone
    icon: str


def lifecycle_badge(state: LifecycleState) -> SafeString:
    return badge(STATE_WORDS[state].label, TONES[state])


def allowed_line(need: LifecycleNeed, allowance: Allowance) -> AllowedLine:
    tone, icon = _MARKS[allowance]
    return AllowedLine(NEED_WORDS[need], ALLOWANCE_WORDS[allowance], tone, icon)


def allowed_lines(decision: LifecycleDecision) -> list[AllowedLine]:
    """What is allowed, one line for each class of operations."""
    return [allowed_line(need, decision.allowance(need)) for need in NEED_WORDS]


def describe_changes(changes: Iterable[FieldChange]) -> list[FieldChange]:
    """The changes worth showing, with labels in place of field names and raw values."""
    return [
        FieldChange(
            _FIELDS.get(change.field, change.field.replace("_", " ").capitalize()),
            _label(change.field, change.before),
            _label(change.field, change.after),
            is_changed=True,
        )
        for change in changes
        if change.is_changed and change.field not in _SILENT and change.before != change.after
    ]


def _label(field: str, value: str) -> str:
    enum = _ENUMS.get(field)
    if enum is not None and value in enum.values:
        return str(enum(value).label)
    if field in _MOMENTS and value != ABSENT:
        return f"{datetime.fromisoformat(value):%-d %b %Y, %H:%M}"
    return value


def plan_names(keys: set[str]) -> dict[str, str]:
    """The names of plans by their ids as text, for audit entries, which keep ids."""
    return {
        str(pk): name for pk, name in Plan.objects.filter(pk__in=[UUID(key) for key in keys]).values_list("pk", "name")
    }
