"""Audit events of the reporting app."""

from __future__ import annotations

from apps.core.audit_events import audit_event

DAILY_REPORT_REVISED = audit_event("daily_report.revised", "Daily report made anew")
REPORT_RECIPIENT_ADDED = audit_event("report_recipient.added", "Recipient of daily reports added")
REPORT_RECIPIENT_REMOVED = audit_event("report_recipient.removed", "Recipient of daily reports removed")
REPORT_SHEET_CHOSEN = audit_event("report_sheet.chosen", "Sheet for daily reports chosen")
REPORT_SHEET_REMOVED = audit_event("report_sheet.removed", "Sheet for daily reports removed")
REPORT_RECIPIENT_CHANGED = audit_event("report_recipient.changed", "Recipient of daily reports changed")
BALANCE_ALERTS_CHANGED = audit_event("balance_alerts.changed", "Balance alerts changed")
# By the names that products know them by (spec 13).
BALANCE_LOW = audit_event("balance.low", "Credits run low")
BALANCE_EXHAUSTED = audit_event("balance.exhausted", "Credits are used up")
BALANCE_RECOVERED = audit_event("balance.recovered", "Credits no longer run low")
