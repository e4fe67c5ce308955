"""The only code by which others change what payments own."""

from __future__ import annotations

from apps.payments.services.events import (
    webhook_event_dismiss,
    webhook_event_process,
    webhook_event_process_again,
    webhook_events_process_alike,
    webhook_inbox_sweep,
)
from apps.payments.services.forgiving import invoice_forgive
from apps.payments.services.reconciliation import webhook_events_reconcile

__all__ = [
    "invoice_forgive",
    "webhook_event_dismiss",
    "webhook_event_process",
    "webhook_event_process_again",
    "webhook_events_process_alike",
    "webhook_events_reconcile",
    "webhook_inbox_sweep",
]
