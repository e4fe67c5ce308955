"""Celery tasks of tenants. They take ids alone; every fact is read from the database when they run."""

from __future__ import annotations

import uuid
from datetime import timedelta
from uuid import UUID

from celery import shared_task

from apps.core import clock
from apps.core.context import system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import ReconciliationRunId, RequestId
from apps.core.wakeups import send_wakeup
from apps.tenants.enums import ReconciliationStatus
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from apps.tenants.services.reconciliation import RUN_TASK

# Well below the time limit of a task: then the rest is the next task's.
_BUDGET = timedelta(seconds=150)


@shared_task(name=RUN_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
def reconcile_memberships(run_id: str) -> None:
    """Go on with the run, unless it is over or another worker's."""
    context = system_context(
        AuthorizationSource.SCHEDULER,
        name="reconcile-memberships",
        request_id=RequestId(f"reconciliation-{uuid.uuid4().hex}"),
    )
    until = clock.real_now() + _BUDGET
    run = reconciliation_run_execute(context, ReconciliationRunId(UUID(run_id)), until=until)
    if run is not None and run.status == ReconciliationStatus.QUEUED and clock.real_now() >= until:
        send_wakeup(RUN_TASK, run_id)
