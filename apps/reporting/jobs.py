"""The jobs of reporting, and the task that makes daily reports by lists of scopes."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from uuid import UUID

from celery import shared_task

from apps.core import clock
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.ids import OrganizationId, RequestId
from apps.core.jobs import job
from apps.core.jobs.record_errors import RecordErrors
from apps.core.operations import require
from apps.core.wakeups import send_wakeup
from apps.reporting.services import (
    balances_follow,
    contradictions_refresh,
    platform_books_write,
    revenue_write,
    rollups_refresh,
    runways_keep,
    runways_look,
    statements_write,
)
from apps.reporting.services.daily_reports import JOB_OPERATION, MAKE_TASK, reports_due, reports_make
from apps.reporting.services.repairs import repaired_reports_revise

REPORTS_A_TASK = 300
# Well below the time limit of a task: then the rest is the next task's.
_BUDGET = timedelta(seconds=150)


@job("refresh-rollups", operation="jobs.refresh_rollups", every=timedelta(minutes=1))
def refresh_rollups(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Add up what came in, whichever the slot and in demo organizations too. Looks at positions: one run catches up."""
    return rollups_refresh(context, organization_id=OrganizationId(organization_id) if organization_id else None)


@job("daily-reports", operation=JOB_OPERATION, every=timedelta(hours=1))
def daily_reports(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Hand out what is due, demo organizations too, as their mails are never sent; one organization's are made at once.

    Looks at what is due and not at the slot: one run catches up, and a list whose message is lost is due in an hour.
    """
    require(context, JOB_OPERATION)
    # Those that a repair has left behind, whose program died.
    repaired_reports_revise(context)
    due = reports_due(organization_id=organization_id)
    if organization_id is not None:
        return _make_all(context, due)
    lists = [due[start : start + REPORTS_A_TASK] for start in range(0, len(due), REPORTS_A_TASK)]
    handed_out = 0
    for some in lists:
        if not send_wakeup(MAKE_TASK, ",".join(map(str, some))):
            break
        handed_out += 1
    return {"due": len(due), "lists": len(lists), "handed_out": handed_out}


@shared_task(name=MAKE_TASK, acks_late=True, reject_on_worker_lost=True)  # type: ignore[untyped-decorator]
def make_reports(schedule_ids: str) -> None:
    """Make the next report of each scope of the list, and again of those that are behind, until none is."""
    request_id = RequestId(f"reports-{uuid.uuid4().hex}")
    context = system_context(AuthorizationSource.SCHEDULER, name="daily-reports", request_id=request_id)
    until, waiting = clock.real_now() + _BUDGET, [int(schedule_id) for schedule_id in schedule_ids.split(",")]
    errors, behind = RecordErrors("daily reports"), list[int]()
    while waiting:
        behind += reports_make(context, [waiting.pop(0)], errors)
        if not waiting:
            waiting, behind = behind, []
        if waiting and clock.real_now() >= until:
            send_wakeup(MAKE_TASK, ",".join(map(str, [*waiting, *behind])))
            break
    errors.finish()


def _make_all(context: ExecutionContext, schedule_ids: list[int]) -> dict[str, int]:
    errors, waiting = RecordErrors("daily reports"), schedule_ids
    while waiting:
        waiting = reports_make(context, waiting, errors)
    errors.finish()
    return {"due": len(schedule_ids), "made": errors.done}


@job("refresh-figures", operation="jobs.refresh_figures", every=timedelta(hours=1))
def refresh_figures(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """The platform's figures, whichever the slot: the revenue of the day that ended, where what is paid and the gate
    contradict each other, and statements of the books. They are of all customers, without demos; when the credits of
    each account run out, with them.
    """
    written = revenue_write(context)
    counts = contradictions_refresh(context)
    statements = statements_write(context)
    books = platform_books_write(context)
    forecasts = runways_keep(context)
    figures = {"statements": statements, "faults": len(books.faults), "forecasts": forecasts}
    return {"days": int(written is not None), **counts, **figures}


@job("follow-balances", operation="jobs.follow_balances", every=timedelta(minutes=1))
def follow_balances(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Judge thresholds in credits where a balance moved, whichever the slot. Looks at positions: one run catches up."""
    return balances_follow(context, organization_id=organization_id, include_demo=include_demo)


@job("balance-alerts", operation="jobs.balance_alerts", every=timedelta(hours=1))
def balance_alerts(
    context: ExecutionContext, *, slot: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Judge thresholds in days, whichever the slot, of the accounts whose next look is due."""
    return runways_look(context, organization_id=organization_id, include_demo=include_demo)
