"""The operations of subscriptions, and who may do each."""

from __future__ import annotations

from apps.core.enums import Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
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
    Operation("jobs.purge_receipts", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
