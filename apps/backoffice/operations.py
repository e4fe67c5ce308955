"""The operations of the back office, and who may do each."""

from __future__ import annotations

from apps.core.enums import Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    # The staff plane itself: its first page, its search, one's own password.
    Operation("backoffice.read", platform_role=Role.SUPPORT, allows="open the staff pages"),
    Operation("lists.export", platform_role=Role.SUPPORT, allows="download lists"),
    Operation("tasks.decide", platform_role=Role.SUPPORT, allows="take, snooze and dismiss tasks"),
    Operation(
        "jobs.reset_demo", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN, allows="reset the demo data"
    ),
    Operation(
        "jobs.sweep_cutovers",
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.JOBS_RUN,
        allows="hand out imports of balances",
    ),
)
