"""The operations of reporting, and who may do each."""

from __future__ import annotations

from apps.core.enums import Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    Operation(
        "usage.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, scope=Scope.USAGE_READ, allows="see usage"
    ),
    Operation("jobs.refresh_rollups", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
