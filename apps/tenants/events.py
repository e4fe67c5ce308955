"""Audit events of tenants."""

from __future__ import annotations

from apps.core.audit_events import audit_event

ORGANIZATION_CREATED = audit_event("organization.created", "Organization created")
ORGANIZATION_CHANGED = audit_event("organization.changed", "Organization changed")
ORGANIZATION_CLOSED = audit_event("organization.closed", "Organization closed")
WORKSPACE_CREATED = audit_event("workspace.created", "Workspace created")
WORKSPACE_CHANGED = audit_event("workspace.changed", "Workspace changed")
USER_CREATED = audit_event("user.created", "User created")
USER_CHANGED = audit_event("user.changed", "User changed")
SIGN_IN_LINK_SENT = audit_event("user.sign_in_link_sent", "Sign-in link sent")
SIGN_IN_LINK_USED = audit_event("user.sign_in_link_used", "Sign-in link used")
PORTAL_SESSION_CREATED = audit_event("portal_session.created", "Visit from a product prepared")
PORTAL_SESSION_BEGUN = audit_event("portal_session.begun", "Visit from a product begun")
PASSWORD_SET = audit_event("user.password_set", "Password set")
STAFF_ROLE_SET = audit_event("user.staff_role_set", "Platform role given")
MEMBERSHIP_CREATED = audit_event("membership.created", "Membership created")
MEMBERSHIP_ROLE_CHANGED = audit_event("membership.role_changed", "Role changed")
MEMBERSHIP_REMOVED = audit_event("membership.removed", "Membership removed")
PRODUCT_CREATED = audit_event("product.created", "Product created")
PRODUCT_CHANGED = audit_event("product.changed", "Product changed")
PRODUCT_RELATED = audit_event("organization.product_related", "Product related to the organization")
SERVICE_TOKEN_CREATED = audit_event("service_token.created", "Service token created")
SERVICE_TOKEN_REVOKED = audit_event("service_token.revoked", "Service token revoked")
MEMBERSHIP_EXPORT_CHANGED = audit_event("product.membership_export_changed", "Membership export of the product changed")
DRIFT_RESOLVED = audit_event("membership_drift.resolved", "Membership drift resolved")
RECONCILIATION_REQUESTED = audit_event("reconciliation.requested", "Reconciliation requested")
RECONCILIATION_DECIDED = audit_event("reconciliation.decided", "Stopped reconciliation decided")
BILLING_MODE_CHANGED = audit_event("product.billing_mode_changed", "Billing mode changed")
CUTOVER_CHECK_REQUESTED = audit_event("product.cutover_check_requested", "Cutover check requested")
CUTOVER_CHECKED = audit_event("product.cutover_checked", "Cutover check of the product")
