"""The pages of daily reports: a calendar of days, one report with its downloads, and who gets them by mail."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from datetime import date
from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse

from apps.core import clock
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.moments import MomentError, in_zone, read_day, zone_of
from apps.reporting.exports import document_csv, document_workbook
from apps.reporting.models import DailyReport
from apps.reporting.rules.calendar import month_of
from apps.reporting.rules.document import read_document
from apps.reporting.rules.presenting import changes_between, chapters_of, day_in_words, made_in_words
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.selectors.reports import (
    days_with_reports,
    latest_day,
    members_without_reports,
    recipients_of,
    revisions_of,
)
from apps.reporting.services.recipients import report_recipient_add, report_recipient_remove
from apps.tenants.pages import BillingPage


class ReportsBase(BillingPage):
    """What the pages of reports ask of the address: `day`, and `revision` where not the newest is meant."""

    operations: ClassVar[dict[str, str]] = {"GET": "daily_reports.read"}
    page = "daily-reports"

    def asked_day(self, name: str) -> date | None:
        """The day of the address under this name; None where it names none."""
        with suppress(MomentError):
            return read_day(self.request.GET.get(name, ""))
        return None

    def revisions(self) -> list[DailyReport]:
        """Every revision of the day's report, newest first; of the newest day where none is named."""
        day = self.asked_day("day") or latest_day(self.organization_id)
        return revisions_of(self.organization_id, day) if day is not None else []

    def chosen(self, revisions: list[DailyReport]) -> DailyReport | None:
        """The revision of the address, or the newest."""
        asked = self.request.GET.get("revision", "")
        return next((one for one in revisions if str(one.revision) == asked), revisions[0] if revisions else None)


class DailyReportsPage(ReportsBase):
    """A month of days, and the report of one of them."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page; without any report yet it says when the first one comes."""
        revisions = self.revisions()
        report = self.chosen(revisions)
        day = self.asked_day("day") or (report.day if report else None)
        today = in_zone(clock.now(), zone_of(self.workspace.organization.time_zone)).date()
        month = month_of(self.asked_day("month") or day or today, ())
        month = month_of(month.first, days_with_reports(self.organization_id, month.first, month.last))
        facts = {
            "month": month,
            "day": day,
            "day_in_words": day_in_words(day) if day else "",
            "report": report,
            "revisions": revisions,
            "may_set": self.may("daily_reports.recipients"),
            **(self._contents(report, revisions) if report else {}),
        }
        return self.render("reporting/daily_reports.html", facts, title="Daily reports")

    @staticmethod
    def _contents(report: DailyReport, revisions: list[DailyReport]) -> dict[str, object]:
        document = read_document(report.document)
        before = next((one for one in revisions if one.revision == report.revision - 1), None)
        return {
            "document": document,
            "chapters": chapters_of(document),
            "made": made_in_words(document),
            "changes": changes_between(read_document(before.document), document) if before else [],
        }


class _Download(ReportsBase):
    """One report as a file, made when it is asked for."""

    ending: ClassVar[str]

    @abstractmethod
    def answer(self, report: DailyReport) -> HttpResponseBase:
        """The file."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponseBase:
        """200 with the file; without a report of the day, back to the calendar."""
        report = self.chosen(self.revisions())
        if report is None:
            messages.error(request, "There is no report for this day. Choose one of the marked days.")
            return HttpResponseRedirect(reverse("billing-daily-reports", args=[workspace_slug]))
        response = self.answer(report)
        name = f"daily-report-{workspace_slug}-{report.day:%Y-%m-%d}.{self.ending}"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class DailyReportCsv(_Download):
    """As CSV."""

    ending = "csv"

    def answer(self, report: DailyReport) -> StreamingHttpResponse:
        """Streamed, line by line."""
        lines = document_csv(read_document(report.document), report.revision)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")


class DailyReportWorkbook(_Download):
    """As a workbook of Excel."""

    ending = "xlsx"

    def answer(self, report: DailyReport) -> HttpResponse:
        """Whole, as a workbook is an archive."""
        content = document_workbook(read_document(report.document), report.revision)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        return HttpResponse(content, content_type=kind)


class RecipientsPage(BillingPage):
    """Who gets the reports by mail. A part of Settings, under its own address."""

    operations: ClassVar[dict[str, str]] = {"GET": "daily_reports.recipients", "POST": "daily_reports.recipients"}
    page = "settings"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The recipients, and the form to add one."""
        return self._show()

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Add `email`, or take the recipient `remove` off; what can't be comes back with a sentence."""
        try:
            if "remove" in request.POST:
                self._remove(request.POST["remove"])
            else:
                self._add(request.POST.get("email", ""))
        except (UnprocessableError, ConflictError, NotFoundError) as error:
            return self._show(error=str(error), status=HTTPStatus.UNPROCESSABLE_ENTITY)
        return HttpResponseRedirect(reverse("billing-report-recipients", args=[workspace_slug]))

    def _add(self, email: str) -> None:
        recipient = report_recipient_add(self.execution_context, organization_id=self.organization_id, email=email)
        if recipient.status == RecipientStatus.WAITING:
            sentence = f"A mail asks {recipient.email} to confirm. The reports go there as soon as somebody does."
        else:
            sentence = f"{recipient.email} gets the daily reports."
        messages.success(self.request, sentence)

    def _remove(self, recipient_id: str) -> None:
        try:
            report_recipient_remove(
                self.execution_context, organization_id=self.organization_id, recipient_id=UUID(recipient_id)
            )
        except ValueError:
            raise NotFoundError("There is no such recipient. It may have been removed meanwhile.") from None
        messages.success(self.request, "Removed. The address gets no more daily reports.")

    def _show(self, error: str = "", status: int = HTTPStatus.OK) -> HttpResponse:
        facts = {
            "recipients": recipients_of(self.organization_id),
            "members": members_without_reports(self.organization_id),
            "typed": self.request.POST.get("email", ""),
            "error": error,
        }
        return self.render("reporting/recipients.html", facts, title="Report recipients", status=status)
