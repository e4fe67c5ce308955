"""What the outbox does about reports: mails one, and pauses the recipient whose mailbox refuses for good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from apps.core.context import ExecutionContext
from apps.core.outbox import Delivery, OutboxHandler, outbox_handler
from apps.core.outbox_handlers import EmailHandler, RecipientRefusedError
from apps.reporting.mails import report_mail
from apps.reporting.models import DailyReport
from apps.reporting.selectors.reports import mailed_recipients
from apps.reporting.services.report_mails import SEND_REPORT, report_recipient_pause


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
