"""What the outbox does about reports: mails one, and writes one to a sheet; a refusal for good is told to admins."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.connectors.contracts import ProviderError
from apps.connectors.ids import ConnectorId
from apps.connectors.providers.sheet_rows import SheetRow
from apps.connectors.services.sheet_rows import sheet_row_write
from apps.core.context import ExecutionContext
from apps.core.ids import RequestId
from apps.core.moments import read_day
from apps.core.outbox import Delivery, OutboxError, OutboxHandler, outbox_handler
from apps.core.outbox.backoff import MAX_ATTEMPTS
from apps.core.outbox_handlers import EmailHandler, RecipientRefusedError
from apps.reporting.exports import DATE_COLUMN, document_row
from apps.reporting.mails import page_address, report_mail
from apps.reporting.models import DailyReport, ReportSheet
from apps.reporting.rules.document import read_document
from apps.reporting.selectors.reports import latest_report, mailed_recipients
from apps.reporting.services.report_mails import SEND_REPORT, report_recipient_pause
from apps.reporting.services.report_sheets import (
    WRITE_ROW,
    report_row_failed,
    report_row_written,
    report_sheet_claim,
    report_sheet_release,
)
from apps.tenants.access import task_context

_BUSY_SECONDS = 5


@outbox_handler(SEND_REPORT)
class SendReportHandler(OutboxHandler):
    """Mails one report to one recipient. A report never changes, so that each try sends the same mail."""

    def unconfigured_reason(self) -> str:
        return EmailHandler().unconfigured_reason()

    def deliver(self, delivery: Delivery) -> Any:
        """Send it, unless the recipient wants none any more. Returns why the mailbox refused, or nothing."""
        report = DailyReport.objects.get(pk=delivery.payload["report_id"])
        wanted = (
            one for one in mailed_recipients(report.organization_id) if str(one.pk) == delivery.payload["recipient_id"]
        )
        recipient = next(wanted, None)
        if recipient is None:
            return None
        to = recipient.user.email if recipient.user is not None else recipient.email
        try:
            EmailHandler().deliver(replace(delivery, payload=report_mail(report, recipient, to=to)))
        except RecipientRefusedError as refusal:
            return str(refusal)
        return None

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        """Pause whoever refused; the call itself is done, as no other try could bring more."""
        if result is not None:
            report_recipient_pause(context, UUID(delivery.payload["recipient_id"]), note=str(result))


@outbox_handler(WRITE_ROW)
class WriteRowHandler(OutboxHandler):
    """Writes the newest report of a day to its row; whoever repeats it finds the row that is there."""

    def unconfigured_reason(self) -> str:
        return "" if settings.GOOGLE_CLIENT_ID else "GOOGLE_CLIENT_ID is not set."

    def deliver(self, delivery: Delivery) -> Any:
        """Write it; returns why it can't be written, where no other try would help, or nothing."""
        try:
            sheet = report_sheet_claim(UUID(delivery.payload["sheet_id"]))
        except ReportSheet.DoesNotExist:
            return None  # taken off meanwhile
        if sheet is None:
            raise OutboxError("Another row is being written to the sheet.", retry_after_seconds=_BUSY_SECONDS)
        try:
            self._write(sheet, read_day(delivery.payload["day"]), delivery)
        except ProviderError as error:
            if error.is_permanent or delivery.attempt >= MAX_ATTEMPTS:
                return error.sentence
            wish = int(error.retry_after.total_seconds()) if error.retry_after else None
            raise OutboxError(error.sentence, retry_after_seconds=wish) from error
        finally:
            report_sheet_release(sheet.pk)
        return None

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        """Note what became of the day; the days that a sheet misses follow a row that went through."""
        sheet_id, day = UUID(delivery.payload["sheet_id"]), read_day(delivery.payload["day"])
        if result is not None:
            report_row_failed(context, sheet_id, day, why=str(result))
        else:
            report_row_written(context, sheet_id, day, is_repeat=delivery.payload["is_repeat"])

    @staticmethod
    def _write(sheet: ReportSheet, day: date, delivery: Delivery) -> None:
        report = latest_report(sheet.organization_id, day)
        if report is None:
            return
        document = read_document(report.document)
        cells = document_row(document, report.revision, page_address(document, report))
        context = task_context(
            "report-sheet", organization=sheet.organization, request_id=RequestId(delivery.request_id)
        )
        row = SheetRow(DATE_COLUMN, day, cells)
        sheet_row_write(context, connector_id=ConnectorId(sheet.connector_id), sheet=sheet.sheet, row=row)
