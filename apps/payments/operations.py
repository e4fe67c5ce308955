"""The operations of payments, and who may do each."""

from __future__ import annotations

from apps.core.enums import LifecycleNeed, Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    Operation(
        "billing_events.record",
        tenant_role=Role.OWNER,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.PAYMENTS_WRITE,
        allows="record billing events",
    ),
    Operation("billing_events.read", platform_role=Role.SUPPORT, allows="see billing events"),
    # No lifecycle need: paying must be possible whatever else is closed.
    Operation("invoices.read", tenant_role=Role.VIEWER, platform_role=Role.SUPPORT, allows="see invoices"),
    Operation("checkout.start", tenant_role=Role.OWNER, allows="change how the organization pays"),
    Operation("provider_objects.read", platform_role=Role.SUPPORT, allows="see payment providers' records"),
    Operation("webhook_events.read", platform_role=Role.SUPPORT, allows="see payment events"),
    Operation(
        "webhook_events.process_again", platform_role=Role.BILLING_OPERATIONS, allows="process payment events again"
    ),
    Operation("jobs.sweep_inbox", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.end_grace_periods", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.track_credits", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.report_usage", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("usage_reporting.change", platform_role=Role.PLATFORM_ADMIN, allows="report a product's usage to Orb"),
    # It switches connectors off and on, as an admin does one by one, and gives nobody money or access.
    Operation(
        "credit_stop.change",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        lifecycle=LifecycleNeed.READ,
        allows="set whether connectors stop without credits",
    ),
    Operation("usage_faults.read", platform_role=Role.SUPPORT, allows="see usage that Orb does not have"),
    Operation("usage_faults.settle", platform_role=Role.BILLING_OPERATIONS, allows="settle usage that Orb refused"),
    Operation("jobs.reconcile_payments", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
