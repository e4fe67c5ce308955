"""The operations of subscriptions, and who may do each."""

from __future__ import annotations

from apps.core.enums import Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    Operation("plans.read", platform_role=Role.SUPPORT, allows="see plans"),
    Operation("plans.manage", platform_role=Role.PLATFORM_ADMIN, allows="change plans"),
    Operation(
        "lifecycle.read",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        scope=Scope.SUBSCRIPTIONS_READ,
        allows="see what the workspace may do",
    ),
    Operation("subscriptions.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, allows="see subscriptions"),
    Operation("subscriptions.change", platform_role=Role.BILLING_OPERATIONS, allows="change subscriptions"),
    Operation("overlays.change", platform_role=Role.BILLING_OPERATIONS, allows="set a workspace's lifecycle by hand"),
    Operation(
        "payment_configs.read",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        scope=Scope.SUBSCRIPTIONS_READ,
        allows="see the payment status",
    ),
    Operation("payment_configs.change", platform_role=Role.BILLING_OPERATIONS, allows="change the payment status"),
    Operation(
        "payment_configs.end_grace",
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.PAYMENTS_WRITE,
        allows="end a grace period",
    ),
    Operation("notes.read", platform_role=Role.SUPPORT, allows="read notes"),
    Operation("notes.add", platform_role=Role.SUPPORT, allows="add notes"),
    Operation("decisions.read", platform_role=Role.SUPPORT, allows="see decisions"),
    Operation("jobs.purge_receipts", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
