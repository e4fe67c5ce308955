"""Audit events of the reporting app."""

from __future__ import annotations

from apps.core.audit_events import audit_event

DAILY_REPORT_REVISED = audit_event("daily_report.revised", "Daily report made anew")
REPORT_RECIPIENT_ADDED = audit_event("report_recipient.added", "Recipient of daily reports added")
REPORT_RECIPIENT_REMOVED = audit_event("report_recipient.removed", "Recipient of daily reports removed")
REPORT_RECIPIENT_CHANGED = audit_event("report_recipient.changed", "Recipient of daily reports changed")
