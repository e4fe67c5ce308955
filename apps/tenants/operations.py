"""The operations of tenants, and who may do each."""

from __future__ import annotations

from apps.core.enums import LifecycleNeed, Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    Operation("users.read", platform_role=Role.SUPPORT, allows="see people"),
    Operation(
        "users.remove_second_factor", platform_role=Role.PLATFORM_ADMIN, allows="remove somebody's second factor"
    ),
    # A mail that lets a tenant in: a link to sign in with, or their invitation once more.
    Operation("users.send_link", platform_role=Role.BILLING_OPERATIONS, allows="send sign-in links"),
    # To view an organization's pages as one of its members, read-only (spec 08).
    Operation("member.impersonate", platform_role=Role.SUPPORT, allows="view pages as a member"),
    Operation("users.upsert", scope=Scope.TENANTS_WRITE),
    Operation("organizations.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, allows="see the organization"),
    Operation("organizations.upsert", scope=Scope.TENANTS_WRITE),
    Operation(
        "organizations.relate_product",
        platform_role=Role.PLATFORM_ADMIN,
        scope=Scope.TENANTS_MANAGE,
        allows="give products access to organizations",
    ),
    Operation("organization.close", platform_role=Role.BILLING_OPERATIONS, allows="close organizations"),
    Operation("organization.reopen", platform_role=Role.BILLING_OPERATIONS, allows="reopen organizations"),
    Operation("workspaces.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, allows="see workspaces"),
    Operation("workspaces.upsert", scope=Scope.TENANTS_WRITE),
    Operation(
        "members.read",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        scope=Scope.MEMBERS_READ,
        allows="see members",
    ),
    Operation("members.upsert", scope=Scope.MEMBERS_WRITE),
    Operation("members.remove", scope=Scope.MEMBERS_WRITE),
    # A product pushes all its members, or asks what became of that.
    Operation("membership_snapshots.push", scope=Scope.MEMBERS_WRITE),
    Operation("reconciliation.read", platform_role=Role.SUPPORT, allows="see reconciliations"),
    Operation("reconciliation.run", platform_role=Role.BILLING_OPERATIONS, allows="run a reconciliation"),
    Operation(
        "membership_drift.resolve", platform_role=Role.BILLING_OPERATIONS, allows="resolve differences of members"
    ),
    Operation("jobs.reconcile_memberships", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.sweep_reconciliations", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("portal_sessions.create", scope=Scope.PORTAL_CREATE),
    # The Settings page. A time zone is no commercial truth: whoever may read may, as an admin, set it.
    Operation("settings.read", tenant_role=Role.VIEWER, lifecycle=LifecycleNeed.READ, allows="see the settings"),
    Operation("settings.change", tenant_role=Role.ADMIN, lifecycle=LifecycleNeed.READ, allows="change the settings"),
    # Who gets mails, like everything that a visit could leave behind, is said in a session of one's own.
    Operation("notices.change", tenant_role=Role.ADMIN, allowed_in_visit=False, allows="choose who gets mails"),
    # It pays: whatever else is closed, invoices must find somebody.
    Operation(
        "billing_email.change", tenant_role=Role.OWNER, allowed_in_visit=False, allows="change where invoices are sent"
    ),
    Operation("products.read", platform_role=Role.SUPPORT, allows="see products"),
    Operation("products.manage", platform_role=Role.PLATFORM_ADMIN, allows="change products"),
    Operation(
        "billing_mode.read",
        platform_role=Role.SUPPORT,
        scope=Scope.CREDITS_READ,
        allows="see who decides on an organization's credits",
    ),
    Operation("tokens.read", platform_role=Role.PLATFORM_ADMIN, allows="see service tokens"),
    Operation("tokens.manage", platform_role=Role.PLATFORM_ADMIN, allows="create or revoke service tokens"),
    Operation(
        "member.invite",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        lifecycle=LifecycleNeed.INVITE,
        allowed_in_visit=False,
        allows="invite members",
    ),
    # Taking access away does no harm, so that it has no lifecycle need.
    Operation(
        "members.change",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        allowed_in_visit=False,
        allows="change members",
    ),
)
