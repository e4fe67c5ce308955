"""Celery tasks of credits. They take ids alone; every fact is read from the database when they run."""

from __future__ import annotations

import uuid
from datetime import timedelta
from uuid import UUID

from celery import shared_task

from apps.core import clock
from apps.core.context import system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import RequestId
from apps.core.wakeups import send_wakeup
from apps.credits.enums import BalanceImportStatus
from apps.credits.services.balance_booking import balance_import_execute
from apps.credits.services.balance_imports import TASK
from apps.credits.services.price_previews import TASK as PREVIEW_TASK
from apps.credits.services.price_previews import price_preview_execute

# Well below the time limit of a task: then the rest is the next task's.
_BUDGET = timedelta(seconds=150)


@shared_task(name=TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
def import_balances(import_id: str) -> None:
    """Go on with the import, unless it is over or another worker's."""
    context = system_context(
        AuthorizationSource.SCHEDULER,
        name="import-balances",
        request_id=RequestId(f"balance-import-{uuid.uuid4().hex}"),
    )
    until = clock.real_now() + _BUDGET
    record = balance_import_execute(context, UUID(import_id), until=until)
    if record is not None and record.status == BalanceImportStatus.QUEUED:
        send_wakeup(TASK, import_id)


@shared_task(name=PREVIEW_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
def preview_prices(run_id: str) -> None:
    """Compute the preview, unless it is over or another worker's."""
    price_preview_execute(UUID(run_id))
