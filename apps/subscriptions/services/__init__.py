"""The only code that changes commercial truth: guard, lock, change named fields, audit, in one transaction."""

from __future__ import annotations

from apps.subscriptions.services.notes import note_add
from apps.subscriptions.services.overlays import overlay_clear, overlay_set
from apps.subscriptions.services.payment_configs import (
    PaymentConfigOutcome,
    end_grace_period,
    payment_config_change,
    payment_config_create,
)
from apps.subscriptions.services.pending_changes import (
    pending_change_cancel,
    pending_change_confirm,
    pending_change_record,
)
from apps.subscriptions.services.plans import PlanParams, plan_upsert
from apps.subscriptions.services.receipts import decision_receipt_record, decision_receipts_expire, lifecycle_require
from apps.subscriptions.services.subscriptions import SubscriptionOutcome, subscription_change

__all__ = [
    "PaymentConfigOutcome",
    "PlanParams",
    "SubscriptionOutcome",
    "decision_receipt_record",
    "decision_receipts_expire",
    "end_grace_period",
    "lifecycle_require",
    "note_add",
    "overlay_clear",
    "overlay_set",
    "payment_config_change",
    "payment_config_create",
    "pending_change_cancel",
    "pending_change_confirm",
    "pending_change_record",
    "plan_upsert",
    "subscription_change",
]
