"""The operation registry: what each operation needs. Pages, API, admin and tasks all ask it (spec 02).

An operation names its least tenant role, its least platform role, the token scope and the lifecycle need. `None` means
that nobody of that kind may. A route that names no operation fails the access-table test.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.enums import LifecycleNeed, Role, Scope

# Highest first. A role reaches every gate at or below its own place; roles of the two ladders never compare.
TENANT_LADDER: tuple[Role, ...] = (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER)
PLATFORM_LADDER: tuple[Role, ...] = (Role.PLATFORM_ADMIN, Role.BILLING_OPERATIONS, Role.SUPPORT)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done, and who may."""

    name: str
    tenant_role: Role | None = None
    platform_role: Role | None = None
    scope: Scope | None = None
    lifecycle: LifecycleNeed = LifecycleNeed.NOTHING


_OPERATIONS: tuple[Operation, ...] = (
    # Tenants
    Operation("users.read", platform_role=Role.SUPPORT),
    Operation("users.remove_second_factor", platform_role=Role.PLATFORM_ADMIN),
    # A mail that lets a tenant in: a link to sign in with, or their invitation once more.
    Operation("users.send_link", platform_role=Role.BILLING_OPERATIONS),
    Operation("users.upsert", scope=Scope.TENANTS_WRITE),
    Operation("organizations.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT),
    Operation("organizations.upsert", scope=Scope.TENANTS_WRITE),
    Operation("organizations.relate_product", platform_role=Role.PLATFORM_ADMIN, scope=Scope.TENANTS_MANAGE),
    Operation("organizations.close", platform_role=Role.PLATFORM_ADMIN),
    Operation("workspaces.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT),
    Operation("workspaces.upsert", scope=Scope.TENANTS_WRITE),
    Operation("members.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.MEMBERS_READ),
    Operation("members.upsert", scope=Scope.MEMBERS_WRITE),
    Operation("members.remove", scope=Scope.MEMBERS_WRITE),
    Operation("portal_sessions.create", scope=Scope.PORTAL_CREATE),
    # The Settings page. A time zone is no commercial truth: whoever may read may, as an admin, set it.
    Operation("settings.read", tenant_role=Role.VIEWER, lifecycle=LifecycleNeed.READ),
    Operation("settings.change", tenant_role=Role.ADMIN, lifecycle=LifecycleNeed.READ),
    Operation("products.read", platform_role=Role.SUPPORT),
    Operation("products.manage", platform_role=Role.PLATFORM_ADMIN),
    Operation("tokens.read", platform_role=Role.PLATFORM_ADMIN),
    Operation("tokens.manage", platform_role=Role.PLATFORM_ADMIN),
    # Subscriptions
    Operation("plans.read", platform_role=Role.SUPPORT),
    Operation("plans.manage", platform_role=Role.PLATFORM_ADMIN),
    Operation("lifecycle.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.SUBSCRIPTIONS_READ),
    Operation("subscriptions.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT),
    Operation("subscriptions.change", platform_role=Role.BILLING_OPERATIONS),
    Operation("overlays.change", platform_role=Role.BILLING_OPERATIONS),
    Operation(
        "payment_configs.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.SUBSCRIPTIONS_READ
    ),
    Operation("payment_configs.change", platform_role=Role.BILLING_OPERATIONS),
    Operation("payment_configs.end_grace", platform_role=Role.BILLING_OPERATIONS, scope=Scope.PAYMENTS_WRITE),
    Operation("notes.read", platform_role=Role.SUPPORT),
    Operation("notes.add", platform_role=Role.SUPPORT),
    Operation("decisions.read", platform_role=Role.SUPPORT),
    # Asked of the gate by products: what a workspace may do with its connectors and reports (spec 03, spec 09).
    Operation(
        "connector.sync",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.CONNECTORS_WRITE,
        lifecycle=LifecycleNeed.SYNC,
    ),
    Operation(
        "connector.edit",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.CONNECTORS_WRITE,
        lifecycle=LifecycleNeed.EDIT_CONNECTORS,
    ),
    # Connectors. Stopping does no harm, so that disabling has no lifecycle need; enabling is an edit.
    Operation("connectors.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.CONNECTORS_READ),
    Operation(
        "connectors.disable",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.CONNECTORS_WRITE,
    ),
    # What follows from the end of a grace period or of a subscription, by whoever may bring that about.
    Operation("connectors.auto_disable", platform_role=Role.BILLING_OPERATIONS, scope=Scope.PAYMENTS_WRITE),
    Operation("credentials.rotate", platform_role=Role.PLATFORM_ADMIN),
    Operation("member.invite", tenant_role=Role.ADMIN, lifecycle=LifecycleNeed.INVITE),
    Operation("report.export", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, lifecycle=LifecycleNeed.READ),
    # Credits
    Operation("credit_policies.read", platform_role=Role.SUPPORT, scope=Scope.CREDITS_READ),
    Operation("credit_policies.manage", platform_role=Role.PLATFORM_ADMIN),
    Operation("credits.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.CREDITS_READ),
    Operation("credits.authorize", scope=Scope.CREDITS_WRITE),
    Operation("credits.consume", scope=Scope.CREDITS_WRITE, lifecycle=LifecycleNeed.CONSUME),
    Operation("credits.grant", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE),
    Operation("credits.adjust", platform_role=Role.BILLING_OPERATIONS),
    Operation("credits.reverse", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE),
    Operation("holds.capture", scope=Scope.CREDITS_WRITE),
    Operation("holds.release", scope=Scope.CREDITS_WRITE),
    # Payments
    Operation(
        "billing_events.record",
        tenant_role=Role.OWNER,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.PAYMENTS_WRITE,
    ),
    Operation("billing_events.read", platform_role=Role.SUPPORT),
    # No lifecycle need: paying must be possible whatever else is closed.
    Operation("invoices.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT),
    Operation("checkout.start", tenant_role=Role.OWNER),
    Operation("provider_objects.read", platform_role=Role.SUPPORT),
    Operation("webhook_events.read", platform_role=Role.SUPPORT),
    Operation("webhook_events.process_again", platform_role=Role.BILLING_OPERATIONS),
    Operation("jobs.sweep_inbox", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.end_grace_periods", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.track_credits", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.reconcile_payments", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    # Machinery
    # The staff plane itself: its first page, its search, one's own password.
    Operation("backoffice.read", platform_role=Role.SUPPORT),
    Operation("audit.read", platform_role=Role.SUPPORT),
    Operation("outbox.read", platform_role=Role.SUPPORT),
    Operation("outbox.retry", platform_role=Role.BILLING_OPERATIONS),
    Operation("jobs.read", tenant_role=Role.ADMIN, platform_role=Role.SUPPORT, scope=Scope.JOBS_RUN),
    # The job endpoint's own gate; each job has a narrower one of its own.
    Operation("jobs.start", tenant_role=Role.ADMIN, platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.release_holds", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.expire_grants", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.verify_books", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.purge_receipts", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.billing_sync", tenant_role=Role.ADMIN, platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.sweep_syncs", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.reset_demo", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.drain_outbox", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)

# What a visit from a product may not do (spec 02, How people sign in): whoever holds such a link for five minutes must
# not be able to stay. Members, owners, credentials and accounts are changed by people who signed in here themselves.
NOT_IN_A_VISIT = frozenset({"member.invite", "connector.edit"})

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _OPERATIONS}


def reaches(role: Role, gate: Role | None) -> bool:
    """Whether `role` stands at or above `gate` on the gate's own ladder."""
    for ladder in (TENANT_LADDER, PLATFORM_LADDER):
        if gate in ladder:
            return role in ladder and ladder.index(role) <= ladder.index(gate)
    return False
