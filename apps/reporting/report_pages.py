"""The pages of daily reports: a calendar of days, one report with its downloads, and who gets them by mail."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from apps.connectors.services.credentials import connector_may_write
from apps.connectors.services.sheet_rows import sheet_connectors
from apps.core import clock
from apps.core.errors import ConflictError, NotFoundError, UnprocessableError
from apps.core.moments import in_zone, zone_of
from apps.core.replica import history_source
from apps.reporting.exports import SHEET_COLUMNS
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.selectors.reports import members_without_reports, recipients_of, report_sheet_of
from apps.reporting.services.recipients import report_recipient_add, report_recipient_remove
from apps.reporting.services.report_sheets import report_sheet_choose, report_sheet_remove, report_sheet_repeat
from apps.reporting.showing import ShownReport, asked_day, shown_report
from apps.tenants.pages import BillingPage


class ReportsBase(BillingPage):
    """What the pages of reports ask of the address: `day`, and `revision` where not the newest is meant."""

    operations: ClassVar[dict[str, str]] = {"GET": "daily_reports.read"}
    page = "daily-reports"

    def shown(self) -> ShownReport:
        """The report of the address; of the newest day where none is named."""
        database = history_source(self.request).database
        return shown_report(self.request, self.organization_id, self.may, database=database)


class DailyReportsPage(ReportsBase):
    """A month of days, and the report of one of them."""

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page; without any report yet it says when the first one comes."""
        today = in_zone(clock.now(), zone_of(self.workspace.organization.time_zone)).date()
        facts = self.shown().facts(today, asked_day(request, "month"))
        may_set = self.may("daily_reports.recipients")
        return self.render("reporting/daily_reports.html", {**facts, "may_set": may_set}, title="Daily reports")


class _Download(ReportsBase):
    """One report as a file, made when it is asked for."""

    ending: ClassVar[str]

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponseBase:
        """200 with the file; without a report of the day, back to the calendar."""
        file = self.shown().file(self.ending, workspace_slug)
        if file is None:
            messages.error(request, "There is no report for this day. Choose one of the marked days.")
            return HttpResponseRedirect(reverse("billing-daily-reports", args=[workspace_slug]))
        return file


class DailyReportCsv(_Download):
    """As CSV."""

    ending = "csv"


class DailyReportWorkbook(_Download):
    """As a workbook of Excel."""

    ending = "xlsx"


class RecipientsPage(BillingPage):
    """Who gets the reports by mail, and the sheet they are written to. A part of Settings, under its own address."""

    operations: ClassVar[dict[str, str]] = {"GET": "daily_reports.recipients", "POST": "daily_reports.recipients"}
    page = "settings"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The recipients, and the form to add one."""
        return self._show()

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Add `email`, take the recipient `remove` off, or do what `sheet` says: "choose" the `tab` of the `connector`,
        "remove" it, or write "again" what it misses. What can't be comes back with a sentence."""
        about_sheet = request.POST.get("sheet", "")
        try:
            if about_sheet:
                self._change_sheet(about_sheet)
            elif "remove" in request.POST:
                self._remove(request.POST["remove"])
            else:
                self._add(request.POST.get("email", ""))
        except (UnprocessableError, ConflictError, NotFoundError) as error:
            names = ("", str(error)) if about_sheet else (str(error), "")
            return self._show(*names, status=HTTPStatus.UNPROCESSABLE_ENTITY)
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

    def _change_sheet(self, what: str) -> None:
        organization_id, context = self.organization_id, self.execution_context
        if what == "remove":
            report_sheet_remove(context, organization_id=organization_id)
            messages.success(self.request, "Removed. What stands in the sheet stays; no more rows are written.")
        elif what == "again":
            count = report_sheet_repeat(context, organization_id=organization_id)
            messages.success(self.request, f"{count} {'day is' if count == 1 else 'days are'} being written.")
        else:
            try:
                connector_id = UUID(self.request.POST.get("connector", ""))
            except ValueError:
                raise NotFoundError("Choose a connector of Google Sheets.") from None
            tab = self.request.POST.get("tab", "")
            report_sheet_choose(context, organization_id=organization_id, connector_id=connector_id, sheet=tab)
            messages.success(self.request, f"Reports are written to {tab.strip()}, one row a day.")

    def _show(self, error: str = "", sheet_error: str = "", status: int = HTTPStatus.OK) -> HttpResponse:
        sheet = report_sheet_of(self.organization_id)
        connectors = sheet_connectors(self.organization_id)
        facts = {
            "sheet": sheet,
            "connectors": connectors,
            "readers": [one for one in connectors if not connector_may_write(one)],
            "sheet_error": sheet_error,
            "chosen": self.request.POST.get("connector") or (str(sheet.connector_id) if sheet else ""),
            "tab": self.request.POST.get("tab") or (sheet.sheet if sheet else "Daily reports"),
            "columns": SHEET_COLUMNS,
            "recipients": recipients_of(self.organization_id),
            "members": members_without_reports(self.organization_id),
            "typed": self.request.POST.get("email", ""),
            "error": error,
        }
        return self.render("reporting/recipients.html", facts, title="Report recipients", status=status)
