"""The sheet that daily reports are written to: chosen by an admin, a row a day, and what follows when one fails.

A report is never lost by that: it stands in its table, and the days that a sheet misses follow the next row that is
written.
"""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from apps.connectors.services.credentials import connector_may_write
from apps.connectors.services.sheet_rows import sheet_connectors
from apps.core import clock
from apps.core.audit.services import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import FieldError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.mails import public_address
from apps.core.operations import require
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.reporting.events import REPORT_SHEET_CHOSEN, REPORT_SHEET_REMOVED
from apps.reporting.mails import sheet_problem_mail
from apps.reporting.models import DailyReport, ReportSheet
from apps.reporting.selectors.reports import admins_of, days_with_reports, latest_day
from apps.reporting.services.recipients import SET_OPERATION

WRITE_ROW = "reports.write_row"
_LONGEST_PROBLEM = 500
_LONGEST_NAME = 100
# Longer than a delivery may take.
_BUSY = timedelta(minutes=2)
_MOST_MISSED = timedelta(days=366)


@transaction.atomic
def report_sheet_choose(
    context: ExecutionContext, *, organization_id: OrganizationId, connector_id: UUID, sheet: str
) -> ReportSheet:
    """Write reports to the tab from the newest report on; in place of the sheet before. Audited.

    Raises `ForbiddenError`, `NotFoundError` for a connector that is not the organization's, `UnprocessableError` for a
    name that no tab has, and where the connector may only read.
    """
    require(context, SET_OPERATION)
    _check_tenant(context, organization_id)
    name = sheet.strip()
    if not 0 < len(name) <= _LONGEST_NAME or set(name) & set("'!"):
        sentence = f"Write the name of the tab, at most {_LONGEST_NAME} characters and without ' and !."
        raise UnprocessableError(sentence, errors=[FieldError("sheet", "impossible_value", sentence)])
    connector = next((one for one in sheet_connectors(organization_id) if one.pk == connector_id), None)
    if connector is None:
        raise NotFoundError("There is no such connector of Google Sheets. It may have been removed meanwhile.")
    if not connector_may_write(connector):
        raise UnprocessableError(
            f"{connector.name} may only read so far. Allow writing first, with the link beside it."
        )
    now = clock.now()
    values = {"connector": connector, "sheet": name, "problem": "", "missed_from": None, "written_day": None}
    chosen, _ = ReportSheet.objects.update_or_create(
        organization_id=organization_id,
        defaults={**values, "written_at": None, "busy_until": None},
        create_defaults={**values, "created_at": now},
    )
    audit_append(
        context, REPORT_SHEET_CHOSEN, chosen.audit_target, after={"connector": str(connector.pk), "sheet": name}
    )
    newest = latest_day(organization_id)
    if newest is not None:
        _enqueue(context, chosen, newest, f"chosen:{now:%Y%m%dT%H%M%S%f}")
    return chosen


@transaction.atomic
def report_sheet_remove(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Write no more rows; those in the sheet stay. Removing it again changes nothing. Audited."""
    require(context, SET_OPERATION)
    _check_tenant(context, organization_id)
    sheet = ReportSheet.objects.select_for_update().filter(organization=organization_id).first()
    if sheet is not None:
        audit_append(context, REPORT_SHEET_REMOVED, sheet.audit_target, before={"sheet": sheet.sheet})
        sheet.delete()


@transaction.atomic
def report_sheet_repeat(context: ExecutionContext, *, organization_id: OrganizationId) -> int:
    """Write what the sheet misses now, and the newest day; returns how many rows. Raises `NotFoundError`."""
    require(context, SET_OPERATION)
    _check_tenant(context, organization_id)
    sheet = ReportSheet.objects.select_for_update().filter(organization=organization_id).first()
    if sheet is None:
        raise NotFoundError("No sheet is chosen any more.")
    newest = latest_day(organization_id)
    return _enqueue_missed(context, sheet, sheet.missed_from or newest) if newest is not None else 0


def report_row_enqueue(context: ExecutionContext, report: DailyReport) -> None:
    """Write the outbox row of the report, in its transaction; nothing without a sheet."""
    sheet = ReportSheet.objects.filter(organization=report.organization_id).first() if report.organization_id else None
    if sheet is not None:
        _enqueue(context, sheet, report.day, str(report.pk))


def report_sheet_claim(sheet_id: UUID) -> ReportSheet | None:
    """The sheet, which nobody else writes to for a while; None where somebody does. Raises `DoesNotExist`."""
    now = clock.real_now()
    free = ReportSheet.objects.filter(Q(busy_until=None) | Q(busy_until__lte=now), pk=sheet_id)
    is_ours = free.update(busy_until=now + _BUSY)
    sheet = ReportSheet.objects.select_related("organization", "connector").get(pk=sheet_id)
    return sheet if is_ours else None


def report_sheet_release(sheet_id: UUID) -> None:
    """Let the next row be written."""
    ReportSheet.objects.filter(pk=sheet_id).update(busy_until=None)


@transaction.atomic
def report_row_written(context: ExecutionContext, sheet_id: UUID, day: date, *, is_repeat: bool) -> None:
    """Note that the day stands in the sheet, and write the days that it misses."""
    sheet = ReportSheet.objects.select_for_update().filter(pk=sheet_id).first()
    if sheet is None:
        return
    sheet.problem, sheet.written_at = "", clock.now()
    sheet.written_day = max(sheet.written_day or day, day)
    sheet.save(update_fields=["problem", "written_at", "written_day"])
    # A repeated one makes none, so that a day that never goes through is tried once a day.
    if sheet.missed_from is not None and not is_repeat:
        _enqueue_missed(context, sheet, sheet.missed_from, apart_from=day)


@transaction.atomic
def report_row_failed(context: ExecutionContext, sheet_id: UUID, day: date, *, why: str) -> None:
    """Note why and since when, and tell the admins once until a row goes through again."""
    sheet = (
        ReportSheet.objects.select_for_update(of=("self",)).select_related("organization").filter(pk=sheet_id).first()
    )
    if sheet is None:
        return
    is_news = not sheet.problem
    sheet.problem, sheet.missed_from = why[:_LONGEST_PROBLEM], min(sheet.missed_from or day, day)
    sheet.save(update_fields=["problem", "missed_from"])
    workspace = sheet.organization.workspaces.order_by("created_at", "pk").first()
    admins = admins_of(sheet.organization_id)
    if not is_news or workspace is None or not admins:
        return
    url = public_address(reverse("billing-report-recipients", args=[workspace.slug]))
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"report-sheet-problem:{sheet.pk}:{clock.now():%Y%m%dT%H%M%S%f}",
        payload=sheet_problem_mail(sheet, url=url, to=admins),
        organization_id=OrganizationId(sheet.organization_id),
    )


def _enqueue_missed(
    context: ExecutionContext, sheet: ReportSheet, first: date | None, *, apart_from: date | None = None
) -> int:
    last = latest_day(sheet.organization_id)
    if first is None or last is None:
        return 0
    days = days_with_reports(sheet.organization_id, max(first, last - _MOST_MISSED), last)
    stamp = f"{clock.now():%Y%m%dT%H%M%S%f}"
    missed = [day for day in reversed(days) if day != apart_from]
    for day in missed:
        _enqueue(context, sheet, day, f"again:{day}:{stamp}", is_repeat=True)
    ReportSheet.objects.filter(pk=sheet.pk).update(missed_from=None)
    return len(missed)


def _enqueue(context: ExecutionContext, sheet: ReportSheet, day: date, of: str, *, is_repeat: bool = False) -> None:
    outbox_enqueue(
        context,
        kind=WRITE_ROW,
        key=f"{sheet.pk}:{of}",
        payload={"sheet_id": str(sheet.pk), "day": day.isoformat(), "is_repeat": is_repeat},
        organization_id=OrganizationId(sheet.organization_id),
        is_demo=sheet.organization.is_demo,
    )


def _check_tenant(context: ExecutionContext, organization_id: OrganizationId) -> None:
    if context.organization_id != organization_id:
        raise NotFoundError("There is no such organization.")
