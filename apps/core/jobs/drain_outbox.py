"""The job `drain-outbox`: the sure way by which calls get made; wake-ups after a commit are the quick one."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from apps.core.context import ExecutionContext
from apps.core.jobs.registry import job
from apps.core.outbox.worker import outbox_drain


@job("drain-outbox", operation="jobs.drain_outbox", every=timedelta(minutes=1), max_attempts=1)
def drain_outbox(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Carry out what is due, whichever the slot; a missed slot is skipped. Demo items are suppressed when written."""
    return outbox_drain(context, organization_id=organization_id).as_counts()
