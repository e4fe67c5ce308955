"""Repairs wrong rollups, and makes the reports of their days anew (spec 07, Rollups, Daily report).

Which days were wrong is noted in the transaction that repairs them, and a revision takes its notes along. So a repair
whose program died is followed by the next run of the job `daily-reports`, and of two that repair at once one finds
nothing wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.operations import require
from apps.reporting.models import DailyReport, RepairedDay
from apps.reporting.rules.document import Window, read_document
from apps.reporting.rules.repairing import repaired
from apps.reporting.selectors.faults import rollup_faults, wrong_days
from apps.reporting.selectors.reports import latest_report
from apps.reporting.selectors.states import states_for_update
from apps.reporting.services.daily_reports import (
    REVISE_OPERATION,
    daily_report_add,
    lock_schedule,
    read_report,
)
from apps.reporting.services.rollups import rollups_rebuild
from apps.tenants.models import Organization

REASON = "Figures of this day were wrong and have been computed afresh."


def rollups_repair(context: ExecutionContext, *, account_id: UUID) -> list[str]:
    """Compute an organization's rollups afresh where they are wrong; what was wrong, in words."""
    require(context, "jobs.refresh_rollups")
    with transaction.atomic():
        states_for_update([account_id])
        # Under the lock: whoever repaired them meanwhile has left nothing to find.
        faults = rollup_faults(account_id)
        if not faults:
            return []
        days = wrong_days(account_id)
        rollups_rebuild(context, account_id=account_id)
        _note(account_id, days)
    return faults


def _note(account_id: UUID, days: Sequence[date]) -> None:
    """Note the days whose reports are to be looked at again: the organization's, and the platform's unless it is left
    out there.
    """
    organization = Organization.objects.get(pk=account_id)
    scopes = [False] if organization.is_demo or organization.is_synthetic else [False, True]
    now = clock.now()
    RepairedDay.objects.bulk_create(
        RepairedDay(organization=organization, day=day, is_for_platform=is_for_platform, noted_at=now)
        for is_for_platform in scopes
        for day in days
    )


def repaired_reports_revise(context: ExecutionContext) -> list[DailyReport]:
    """Make a revision of each report that a repaired rollup changes, once; nothing is mailed. Audited."""
    require(context, REVISE_OPERATION)
    notes = RepairedDay.objects.values_list("is_for_platform", "organization", "day").distinct()
    wanted = sorted({(day, None if is_for_platform else pk) for is_for_platform, pk, day in notes}, key=str)
    return [report for day, pk in wanted if (report := _revise(context, pk, day)) is not None]


@transaction.atomic
def _revise(context: ExecutionContext, organization_id: UUID | None, day: date) -> DailyReport | None:
    """Make the report of the day anew, where there is one and the repair changes it. A later one comes out right."""
    schedule = lock_schedule(organization_id)
    notes = RepairedDay.objects.filter(day=day, is_for_platform=organization_id is None)
    if organization_id is not None:
        notes = notes.filter(organization=organization_id)
    # Those of now: a repair that is at it still notes its days again.
    taken = dict(notes.select_for_update(of=("self",)).values_list("pk", "organization"))
    former = latest_report(organization_id, day)
    report = None
    if taken and schedule is not None and former is not None:
        sent = read_document(former.document)
        afresh = read_report(schedule.organization, day, Window(former.window_start, former.window_end))
        mended = [f"rollups of organization {pk}:" for pk in taken.values()]
        # In another zone the day is another one.
        found = repaired(sent, afresh, mended) if sent.scope.zone == afresh.scope.zone else None
        if found is not None:
            report = daily_report_add(context, schedule.organization, found, after=former, reason=REASON)
    RepairedDay.objects.filter(pk__in=list(taken)).delete()
    return report
