"""The operations of credits, and who may do each."""

from __future__ import annotations

from apps.core.enums import LifecycleNeed, Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    Operation("credit_policies.read", platform_role=Role.SUPPORT, scope=Scope.CREDITS_READ, allows="see price lists"),
    Operation("credit_policies.manage", platform_role=Role.PLATFORM_ADMIN, allows="change price lists"),
    Operation(
        "credits.read",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        scope=Scope.CREDITS_READ,
        allows="see credits",
    ),
    Operation("credits.authorize", scope=Scope.CREDITS_WRITE),
    Operation("credits.consume", scope=Scope.CREDITS_WRITE, lifecycle=LifecycleNeed.CONSUME),
    Operation(
        "credits.grant", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE, allows="grant credits"
    ),
    Operation("credits.adjust", platform_role=Role.BILLING_OPERATIONS, allows="adjust credits"),
    Operation(
        "credits.reverse", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE, allows="reverse a charge"
    ),
    # Grants and adjustments by the thousand, before a product is moved to central.
    Operation("balances.import", platform_role=Role.PLATFORM_ADMIN, allows="import balances"),
    # A reason why differences of shadow mode don't count in the gate to central.
    Operation("differences.explain", platform_role=Role.BILLING_OPERATIONS, allows="explain differences"),
    Operation("grants.void", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE, allows="void a grant"),
    Operation("holds.capture", scope=Scope.CREDITS_WRITE),
    Operation("holds.release", scope=Scope.CREDITS_WRITE),
    Operation("holds.extend", scope=Scope.CREDITS_WRITE),
    Operation("jobs.release_holds", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.expire_grants", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.grant_allowances", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.verify_books", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
