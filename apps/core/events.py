"""Audit events of the core's own machinery."""

from __future__ import annotations

from apps.core.audit_events import audit_event

OUTBOX_ITEM_RETRIED = audit_event("outbox_item.retried", "Parked call to the outside tried again")
OUTBOX_ITEM_DISMISSED = audit_event("outbox_item.dismissed", "Parked call to the outside dismissed")
JOB_REQUESTED = audit_event("job.requested", "Job started by hand")
