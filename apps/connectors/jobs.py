"""The jobs of connectors: the hourly sync, and the sweep that hands out what a dead worker left (spec 06, spec 08)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from apps.connectors.sync.schedule import syncs_schedule, syncs_sweep
from apps.core.context import ExecutionContext
from apps.core.jobs import job


@job("billing-sync", operation="jobs.billing_sync", every=timedelta(hours=1))
def billing_sync(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Queue the due months of every due connector. A missed hour is skipped: the next one finds the same months due."""
    return syncs_schedule(context, organization_id=organization_id, include_demo=include_demo)


@job("sweep-syncs", operation="jobs.sweep_syncs", every=timedelta(minutes=1), max_attempts=1)
def sweep_syncs(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Hand out the runs whose message was lost, whose wait is over or whose worker died, of every organization."""
    return syncs_sweep(context)
