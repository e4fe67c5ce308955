"""Audit events of the payments app."""

from __future__ import annotations

from apps.core.audit_events import audit_event

INVOICE_FORGIVEN = audit_event("invoice.forgiven", "Invoice forgiven")
REVIEW_CLOSED = audit_event("review.closed", "Question about a subscription answered")
WEBHOOK_EVENT_PROCESSED_AGAIN = audit_event("webhook_event.processed_again", "Webhook event processed again")
WEBHOOK_EVENT_DISMISSED = audit_event("webhook_event.dismissed", "Webhook event dismissed")
CHECKOUT_STARTED = audit_event("checkout.started", "Checkout started")
PORTAL_OPENED = audit_event("customer_portal.opened", "Customer portal opened")
USAGE_REPORTING_CHANGED = audit_event("product.usage_reporting_changed", "Reporting of usage to Orb changed")
USAGE_BACKFILLED = audit_event("product.usage_backfilled", "Earlier usage sent to Orb")
USAGE_FAULT_SETTLED = audit_event("usage_fault.settled", "Usage that Orb does not have settled")
USAGE_SENT_AGAIN = audit_event("usage_fault.sent_again", "Usage sent to Orb again")
CREDIT_STOP_CHANGED = audit_event("organization.credit_stop_changed", "Stop of connectors without credits changed")
PLAN_NAMED = audit_event("plan.named_at_provider", "Name of the plan at a provider changed")
