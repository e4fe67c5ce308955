"""Audit events of the staff plane itself."""

from __future__ import annotations

from apps.core.audit import audit_event

SECOND_FACTOR_ENROLLED = audit_event("user.second_factor_enrolled", "Second factor enrolled")
SECOND_FACTOR_REMOVED = audit_event("user.second_factor_removed", "Second factor removed")
PASSWORD_CHANGED = audit_event("user.password_changed", "Password changed")
