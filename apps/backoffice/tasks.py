"""Celery tasks of the back office. They take ids alone; every fact is read from the database when they run."""

from __future__ import annotations

import uuid
from uuid import UUID

from celery import shared_task

from apps.backoffice.cutover.runs import cutover_run_execute
from apps.core.context import system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import RequestId
from apps.tenants.services.cutover import RUN_TASK


@shared_task(name=RUN_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
def run_cutover_check(run_id: str) -> None:
    """Make the check, unless it is over or another worker's."""
    context = system_context(
        AuthorizationSource.SCHEDULER,
        name="cutover-check",
        request_id=RequestId(f"cutover-check-{uuid.uuid4().hex}"),
    )
    cutover_run_execute(context, UUID(run_id))
