"""The only code by which others change what payments own."""

from __future__ import annotations

from apps.payments.services.credit_stops import credit_stop_change, credits_follow
from apps.payments.services.events import (
    webhook_event_dismiss,
    webhook_event_process,
    webhook_event_process_again,
    webhook_events_process_alike,
    webhook_inbox_sweep,
)
from apps.payments.services.forgiving import invoice_forgive
from apps.payments.services.plan_references import plan_reference_add, plan_reference_remove
from apps.payments.services.reconciliation import webhook_events_reconcile
from apps.payments.services.usage import (
    usage_fault_settle,
    usage_report,
    usage_reporting_change,
    usage_send_again,
)
from apps.payments.services.usage_backfill import usage_backfill

__all__ = [
    "credit_stop_change",
    "credits_follow",
    "invoice_forgive",
    "plan_reference_add",
    "plan_reference_remove",
    "usage_backfill",
    "usage_fault_settle",
    "usage_report",
    "usage_reporting_change",
    "usage_send_again",
    "webhook_event_dismiss",
    "webhook_event_process",
    "webhook_event_process_again",
    "webhook_events_process_alike",
    "webhook_events_reconcile",
    "webhook_inbox_sweep",
]
