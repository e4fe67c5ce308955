"""Audit events of the payments app."""

from __future__ import annotations

from apps.core.audit import audit_event

WEBHOOK_EVENT_PROCESSED_AGAIN = audit_event("webhook_event.processed_again", "Webhook event processed again")
