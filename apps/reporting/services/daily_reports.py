"""Makes daily reports: each day of each scope once, oldest first; a further revision only by a person (spec 07).

A report, the step to the next day and its mails are one transaction under the lock of the scope's schedule, so that
whoever dies over it leaves nothing, and of two workers one finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from apps.core import clock
from apps.core.audit.services import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.failpoints import failpoint
from apps.core.ids import OrganizationId
from apps.core.jobs.record_errors import RecordErrors
from apps.core.moments import zone_of
from apps.core.operations import require
from apps.reporting.events import DAILY_REPORT_REVISED
from apps.reporting.models import DailyReport, ReportSchedule
from apps.reporting.rules.document import Document, ReportScope, Window, dump_document
from apps.reporting.rules.schedule import due_at, window_of
from apps.reporting.sections.registry import sections_of
from apps.reporting.selectors.reports import latest_report
from apps.reporting.selectors.usage import ZoneChangedError, zone_of_rollups
from apps.reporting.services.report_mails import report_mails_enqueue
from apps.reporting.services.report_sheets import report_row_enqueue
from apps.reporting.services.schedules import PLATFORM_ZONE, schedules_prepare
from apps.tenants.models import Organization

JOB_OPERATION, REVISE_OPERATION = "jobs.daily_reports", "daily_reports.revise"
MAKE_TASK = "reporting.make_reports"
PLATFORM_NAME = "The platform"
_DAY = timedelta(days=1)
_ZONE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was made; `is_behind`: the scope's next one is due already."""

    report: DailyReport
    is_behind: bool


def reports_due(*, organization_id: UUID | None = None, include_demo: bool = True) -> list[int]:
    """The schedules whose report is due now, by what is due the longest."""
    schedules_prepare(organization_id=organization_id)
    due = ReportSchedule.objects.filter(
        Q(organization=None) | Q(organization__closed_at=None, organization__is_synthetic=False),
        due_at__lte=clock.now(),
    )
    if organization_id is not None:
        due = due.filter(organization=organization_id)
    if not include_demo:
        due = due.exclude(organization__is_demo=True)
    return list(due.order_by("due_at", "pk").values_list("pk", flat=True))


def reports_make(context: ExecutionContext, schedule_ids: Sequence[int], errors: RecordErrors) -> list[int]:
    """Make the next report of each of these scopes; those that are behind still, in order.

    What fails for one stops none of the others; it is due again in the next hour.
    """
    behind = []
    for schedule_id in schedule_ids:
        with errors.record(schedule_id):
            made = daily_report_make(context, schedule_id)
            if made is not None and made.is_behind:
                behind.append(schedule_id)
    return behind


def daily_report_make(context: ExecutionContext, schedule_id: int) -> Made | None:
    """Make the report that is due, with its mails. None where it is not due, or another worker is at it."""
    require(context, JOB_OPERATION)
    now = clock.now()
    with transaction.atomic():
        schedule = (
            ReportSchedule.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(pk=schedule_id, due_at__lte=now)
            .select_related("organization")
            .first()
        )
        if schedule is None:
            return None
        former = latest_report(schedule.organization_id, schedule.next_day - _DAY)
        document = _read(schedule.organization, schedule.next_day, former.window_end if former else None)
        report = _store(context, document, revision=1, reason="")
        schedule.zone, schedule.next_day = document.scope.zone, schedule.next_day + _DAY
        schedule.due_at = due_at(zone_of(schedule.zone), schedule.next_day)
        schedule.save(update_fields=["zone", "next_day", "due_at"])
        failpoint("reports.after_store")
        within = _within(context, schedule.organization)
        report_mails_enqueue(within, report, schedule.organization)
        report_row_enqueue(within, report)
        failpoint("reports.before_commit")
    failpoint("reports.after_commit")
    return Made(report, is_behind=schedule.due_at <= now)


def daily_report_revise(
    context: ExecutionContext,
    *,
    organization_id: UUID | None,
    day: date,
    reason: str,
    is_mailed: bool = False,
    after_revision: int | None = None,
) -> DailyReport:
    """Make another revision of a report that is there; the former ones stay. Audited.

    The window stays that of the day. `after_revision` is the newest one that the asker has seen, so that asking twice
    makes one. Raises `ForbiddenError`, `NotFoundError` without a report of the day, `UnprocessableError` without a
    reason, `ConflictError` where another one was made meanwhile.
    """
    require(context, REVISE_OPERATION)
    if not reason.strip():
        raise UnprocessableError("Say why the report is made anew.")
    with transaction.atomic():
        organization, former = _lock_report(organization_id, day)
        within = _within(context, organization)
        if after_revision not in {None, former.revision}:
            raise ConflictError(
                f"Revision {former.revision} was made meanwhile, by {former.made_by}. Look at it first."
            )
        document = read_report(organization, day, Window(former.window_start, former.window_end))
        report = daily_report_add(context, organization, document, after=former, reason=reason, is_mailed=is_mailed)
        if is_mailed:
            report_mails_enqueue(within, report, organization)
    return report


def daily_report_add(
    context: ExecutionContext,
    organization: Organization | None,
    document: Document,
    *,
    after: DailyReport,
    reason: str,
    is_mailed: bool = False,
) -> DailyReport:
    """Keep the document as the revision after that one, whose schedule the caller has locked; its row in the sheet
    follows. Audited; who mails it, says so.
    """
    within = _within(context, organization)
    report = _store(context, document, revision=after.revision + 1, reason=reason)
    values = {"day": f"{document.day}", "revision": report.revision, "mailed": is_mailed}
    audit_append(within, DAILY_REPORT_REVISED, report.audit_target, after=values, reason=reason)
    report_row_enqueue(within, report)
    return report


def lock_schedule(organization_id: UUID | None) -> ReportSchedule | None:
    """The scope's schedule, locked, so that nobody else makes a report of it; None before its first day has ended."""
    schedules = ReportSchedule.objects.select_for_update(of=("self",)).filter(organization=organization_id)
    return schedules.select_related("organization").first()


def _lock_report(organization_id: UUID | None, day: date) -> tuple[Organization | None, DailyReport]:
    """Whose reports, and the newest of the day. The schedule's lock keeps two people from making the same revision."""
    schedule = lock_schedule(organization_id)
    former = latest_report(organization_id, day)
    if schedule is None or former is None:
        raise NotFoundError(f"There is no report for {day}. Reports are made an hour after their day has ended.")
    return schedule.organization, former


def read_report(organization: Organization | None, day: date, window: Window) -> Document:
    """The document of the day and its window, as it is read now."""
    return _read(organization, day, None, window)


def _read(
    organization: Organization | None, day: date, former_end: datetime | None, window: Window | None = None
) -> Document:
    """The document of the day, of one zone throughout: where the rollups change theirs meanwhile, it is read again."""
    for _ in range(_ZONE_TRIES - 1):
        try:
            return _read_once(organization, day, former_end, window)
        except ZoneChangedError:
            continue
    return _read_once(organization, day, former_end, window)


def _read_once(
    organization: Organization | None, day: date, former_end: datetime | None, window: Window | None
) -> Document:
    scope = _scope_of(organization)
    if window is None:
        window = window_of(zone_of(scope.zone), day, former_end=former_end)
    sections = tuple(entry.read(scope, day, window) for entry in sections_of(scope))
    return Document(scope, day, window, clock.now(), sections)


def _scope_of(organization: Organization | None) -> ReportScope:
    if organization is None:
        return ReportScope(None, PLATFORM_NAME, PLATFORM_ZONE)
    slug = organization.workspaces.order_by("created_at", "pk").values_list("slug", flat=True).first()
    zone = zone_of_rollups(OrganizationId(organization.pk))
    return ReportScope(organization.pk, organization.name, zone, slug or "")


def _store(context: ExecutionContext, document: Document, *, revision: int, reason: str) -> DailyReport:
    return DailyReport.objects.create(
        organization_id=document.scope.organization_id,
        day=document.day,
        revision=revision,
        window_start=document.window.start,
        window_end=document.window.end,
        document=dump_document(document),
        made_by=context.actor.label,
        reason=reason,
        created_at=document.made_at,
    )


def _within(context: ExecutionContext, organization: Organization | None) -> ExecutionContext:
    if organization is None:
        return context
    return context.within(OrganizationId(organization.pk), is_demo=organization.is_demo)
