"""The operations of credits, and who may do each."""

from __future__ import annotations

from apps.core.enums import LifecycleNeed, Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    Operation("credit_policies.read", platform_role=Role.SUPPORT, scope=Scope.CREDITS_READ),
    Operation("credit_policies.manage", platform_role=Role.PLATFORM_ADMIN),
    Operation("credits.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.CREDITS_READ),
    Operation("credits.authorize", scope=Scope.CREDITS_WRITE),
    Operation("credits.consume", scope=Scope.CREDITS_WRITE, lifecycle=LifecycleNeed.CONSUME),
    Operation("credits.grant", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE),
    Operation("credits.adjust", platform_role=Role.BILLING_OPERATIONS),
    Operation("credits.reverse", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE),
    Operation("grants.void", platform_role=Role.BILLING_OPERATIONS, scope=Scope.CREDITS_WRITE),
    Operation("holds.capture", scope=Scope.CREDITS_WRITE),
    Operation("holds.release", scope=Scope.CREDITS_WRITE),
    Operation("jobs.release_holds", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.expire_grants", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.grant_allowances", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.verify_books", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
