"""Celery tasks of payments. They take ids alone; every fact is read from the database when they run."""

from __future__ import annotations

import uuid
from uuid import UUID

from celery import shared_task

from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import RequestId
from apps.payments.inbox import PROCESS_TASK, SWEEP_TASK
from apps.payments.services import webhook_event_process, webhook_inbox_sweep


@shared_task(name=PROCESS_TASK)  # type: ignore[untyped-decorator]
def process_webhook_event(event_pk: str) -> None:
    """Process one stored event, unless it is done or another worker's."""
    webhook_event_process(_context("inbox"), event_pk=UUID(event_pk))


@shared_task(name=SWEEP_TASK)  # type: ignore[untyped-decorator]
def sweep_inbox() -> None:
    """Process whatever is due: the quick path when events that waited were set free."""
    webhook_inbox_sweep(_context("inbox"))


def _context(name: str) -> ExecutionContext:
    return system_context(AuthorizationSource.SCHEDULER, name=name, request_id=RequestId(f"{name}-{uuid.uuid4().hex}"))
