"""Audit events of the staff plane itself."""

from __future__ import annotations

from apps.core.audit_events import audit_event

SECOND_FACTOR_ENROLLED = audit_event("user.second_factor_enrolled", "Second factor enrolled")
SECOND_FACTOR_REMOVED = audit_event("user.second_factor_removed", "Second factor removed")
RECOVERY_CODES_MADE = audit_event("user.recovery_codes_made", "Recovery codes made")
SIGNED_IN_BY_IDENTITY_SERVICE = audit_event(
    "user.signed_in_by_identity_service", "Signed in through the identity service"
)
RECOVERY_CODE_USED = audit_event("user.recovery_code_used", "Signed in with a recovery code")
TASK_DECIDED = audit_event("task.decided", "Task decided")
PASSWORD_CHANGED = audit_event("user.password_changed", "Password changed")
ORGANIZATION_EXPORTED = audit_event("organization.exported", "Organization exported")
USER_ERASED = audit_event("user.erased", "Personal data erased")
