"""The operations of connectors, and who may do each."""

from __future__ import annotations

from apps.core.enums import LifecycleNeed, Role, Scope
from apps.core.operations import Operation, register_operations

register_operations(
    # Asked of the gate by products: what a workspace may do with its connectors and reports (spec 03, spec 09).
    Operation(
        "connector.sync",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.CONNECTORS_WRITE,
        lifecycle=LifecycleNeed.SYNC,
        allows="start a sync",
    ),
    Operation(
        "connector.edit",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.CONNECTORS_WRITE,
        lifecycle=LifecycleNeed.EDIT_CONNECTORS,
        allowed_in_visit=False,
        allows="change connectors",
    ),
    # Mending one that has lost its way in, which a failed payment does not forbid (spec 03, below the table).
    Operation(
        "connector.credential",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.CONNECTORS_WRITE,
        lifecycle=LifecycleNeed.REPLACE_CREDENTIAL,
        allowed_in_visit=False,
        allows="replace a connector's key or authorize it again",
    ),
    # Stopping does no harm, so that disabling has no lifecycle need; enabling is an edit.
    Operation(
        "connectors.read",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        scope=Scope.CONNECTORS_READ,
        allows="see connectors",
    ),
    Operation(
        "connectors.disable",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.CONNECTORS_WRITE,
        allows="disable connectors",
    ),
    # What follows from the end of a grace period or of a subscription, by whoever may bring that about.
    Operation(
        "connectors.auto_disable",
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.PAYMENTS_WRITE,
        allows="disable connectors",
    ),
    Operation("credentials.rotate", platform_role=Role.PLATFORM_ADMIN, allows="encrypt credentials with the new key"),
    Operation(
        "report.export",
        tenant_role=Role.VIEWER,
        platform_role=Role.SUPPORT,
        lifecycle=LifecycleNeed.READ,
        allows="export reports",
    ),
    Operation(
        "jobs.billing_sync",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.JOBS_RUN,
        allows="start the hourly sync",
    ),
    Operation("jobs.sweep_syncs", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
