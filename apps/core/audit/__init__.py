"""The audit log: append-only, hash-chained, verified by recomputing (spec 03, History).

Append with `audit_append`; declare events with `audit_event` in the app's `events.py`; check with `verify_audit`.
"""

from __future__ import annotations

from apps.core.audit.services import audit_append
from apps.core.audit.verification import verify_audit
from apps.core.audit_events import AuditEvent, audit_event, event_label

__all__ = ["AuditEvent", "audit_append", "audit_event", "event_label", "verify_audit"]
