"""Audit events of the payments app."""

from __future__ import annotations

from apps.core.audit_events import audit_event

REVIEW_CLOSED = audit_event("review.closed", "Question about a subscription answered")
WEBHOOK_EVENT_PROCESSED_AGAIN = audit_event("webhook_event.processed_again", "Webhook event processed again")
CHECKOUT_STARTED = audit_event("checkout.started", "Checkout started")
PORTAL_OPENED = audit_event("customer_portal.opened", "Customer portal opened")
