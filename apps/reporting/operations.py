"""The operations of reporting, and who may do each."""

from __future__ import annotations

from apps.core.enums import LifecycleNeed, Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    Operation(
        "usage.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.USAGE_READ, allows="see usage"
    ),
    Operation(
        "daily_reports.read",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        lifecycle=LifecycleNeed.READ,
        allows="read daily reports",
    ),
    Operation(
        "daily_reports.recipients",
        tenant_role=Role.ADMIN,
        lifecycle=LifecycleNeed.READ,
        allowed_in_visit=False,
        allows="set who gets daily reports by mail",
    ),
    Operation(
        "balance_alerts.change",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        lifecycle=LifecycleNeed.READ,
        allowed_in_visit=False,
        allows="set when to warn that credits run low",
    ),
    Operation("jobs.follow_balances", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.balance_alerts", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("daily_reports.revise", platform_role=Role.BILLING_OPERATIONS, allows="make a daily report anew"),
    Operation("daily_reports.subscribe", platform_role=Role.SUPPORT, allows="get the platform's daily report by mail"),
    Operation("jobs.daily_reports", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation(
        "overview.read",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        lifecycle=LifecycleNeed.READ,
        allows="see the overview",
    ),
    Operation("books.read", platform_role=Role.SUPPORT, allows="see the books"),
    Operation("revenue.read", platform_role=Role.BILLING_OPERATIONS, allows="see revenue"),
    Operation("jobs.refresh_figures", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.refresh_rollups", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
