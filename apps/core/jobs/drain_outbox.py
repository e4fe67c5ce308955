"""Draining the outbox: the job `drain-outbox` is the sure way by which calls get made, the task is the quick one."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task

from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import RequestId
from apps.core.jobs.registry import job
from apps.core.outbox.services import DRAIN_TASK
from apps.core.outbox.worker import outbox_drain


@job("drain-outbox", operation="jobs.drain_outbox", every=timedelta(minutes=1), max_attempts=1)
def drain_outbox(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Carry out what is due, whichever the slot; a missed slot is skipped. Demo items are suppressed when written."""
    return outbox_drain(context, organization_id=organization_id).as_counts()


@shared_task(name=DRAIN_TASK)  # type: ignore[untyped-decorator]
def drain_after_commit() -> None:
    """Carry out what is due, as a wake-up says that something is."""
    request_id = RequestId(f"outbox-{uuid.uuid4().hex}")
    outbox_drain(system_context(AuthorizationSource.SCHEDULER, name="outbox", request_id=request_id))
