"""The only code that changes tenants' records: guard, lock, change named fields, audit, in one transaction."""

from __future__ import annotations

from apps.tenants.services.billing_modes import (
    billing_exception_change,
    billing_mode_revert,
    billing_percentage_change,
    product_billing_mode_change,
)
from apps.tenants.services.closing import organization_close, organization_reopen, organization_replace
from apps.tenants.services.cutover import cutover_run_request
from apps.tenants.services.drift_verbs import drift_import, drift_settle
from apps.tenants.services.impersonations import (
    impersonation_end,
    impersonation_refuse,
    impersonation_start,
    impersonation_view,
)
from apps.tenants.services.link_requests import member_report, password_reset_prepare, password_reset_request
from apps.tenants.services.member_changes import (
    member_end,
    member_invite,
    member_invite_again,
    member_role_change,
)
from apps.tenants.services.members import member_remove, member_upsert
from apps.tenants.services.notices import notice_choice_change
from apps.tenants.services.organizations import organization_upsert
from apps.tenants.services.passwords import password_change
from apps.tenants.services.portal_sessions import portal_session_begin, portal_session_create
from apps.tenants.services.products import (
    product_relation_upsert,
    product_return_hosts_change,
    product_upsert,
)
from apps.tenants.services.reconciliation import (
    product_export_change,
    reconciliation_confirm,
    reconciliation_discard,
    reconciliation_request,
)
from apps.tenants.services.settings import billing_email_change, organization_settings_change
from apps.tenants.services.sign_in_links import sign_in_link_send, sign_in_link_use
from apps.tenants.services.snapshots import snapshot_chunk_store, snapshot_of
from apps.tenants.services.staff import staff_create
from apps.tenants.services.tokens import service_token_create, service_token_revoke
from apps.tenants.services.users import user_upsert
from apps.tenants.services.workspaces import workspace_upsert

__all__ = [
    "billing_email_change",
    "billing_exception_change",
    "billing_mode_revert",
    "billing_percentage_change",
    "cutover_run_request",
    "drift_import",
    "drift_settle",
    "impersonation_end",
    "impersonation_refuse",
    "impersonation_start",
    "impersonation_view",
    "member_end",
    "member_invite",
    "member_invite_again",
    "member_remove",
    "member_report",
    "member_role_change",
    "member_upsert",
    "notice_choice_change",
    "organization_close",
    "organization_reopen",
    "organization_replace",
    "organization_settings_change",
    "organization_upsert",
    "password_change",
    "password_reset_prepare",
    "password_reset_request",
    "portal_session_begin",
    "portal_session_create",
    "product_billing_mode_change",
    "product_export_change",
    "product_relation_upsert",
    "product_return_hosts_change",
    "product_upsert",
    "reconciliation_confirm",
    "reconciliation_discard",
    "reconciliation_request",
    "service_token_create",
    "service_token_revoke",
    "sign_in_link_send",
    "sign_in_link_use",
    "snapshot_chunk_store",
    "snapshot_of",
    "staff_create",
    "user_upsert",
    "workspace_upsert",
]
