"""Mails about reports: one outbox row a recipient and report, and what follows when a mailbox refuses."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.urls import reverse

from apps.core import clock
from apps.core.audit.services import audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.mails import public_address
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.reporting.events import REPORT_RECIPIENT_CHANGED
from apps.reporting.mails import paused_mail
from apps.reporting.models import DailyReport, ReportRecipient
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.selectors.reports import admins_of, mailed_recipients
from apps.tenants.models import Organization

SEND_REPORT = "reports.send"
_LONGEST_NOTE = 200


def report_mails_enqueue(context: ExecutionContext, report: DailyReport, organization: Organization | None) -> int:
    """Write one outbox row a recipient, in the report's transaction; returns how many. Made when it leaves."""
    recipients = mailed_recipients(report.organization_id)
    for recipient in recipients:
        outbox_enqueue(
            context,
            kind=SEND_REPORT,
            key=f"{report.pk}:{recipient.pk}",
            payload={"report_id": str(report.pk), "recipient_id": str(recipient.pk)},
            organization_id=OrganizationId(organization.pk) if organization is not None else None,
            is_demo=organization is not None and organization.is_demo,
        )
    return len(recipients)


@transaction.atomic
def report_recipient_pause(context: ExecutionContext, recipient_id: UUID, *, note: str) -> None:
    """Stop mails to a mailbox that refused one for good, and tell the admins, once. Audited."""
    recipient = ReportRecipient.objects.select_for_update(of=("self",)).filter(pk=recipient_id).first()
    if recipient is None or recipient.status != RecipientStatus.ACTIVE:
        return
    recipient.status, recipient.note = RecipientStatus.PAUSED, note[:_LONGEST_NOTE]
    recipient.changed_at = clock.now()
    recipient.save(update_fields=["status", "note", "changed_at"])
    audit_append(
        context,
        REPORT_RECIPIENT_CHANGED,
        recipient.audit_target,
        before={"email": recipient.email, "status": RecipientStatus.ACTIVE.value},
        after={"email": recipient.email, "status": recipient.status},
        reason=note,
    )
    organization = recipient.organization
    if organization is None:
        return  # a colleague, whose page of subscriptions says so
    admins = [admin for admin in admins_of(organization.pk) if admin != recipient.email]
    workspace = organization.workspaces.order_by("created_at", "pk").first()
    if not admins or workspace is None:
        return
    url = public_address(reverse("billing-report-recipients", args=[workspace.slug]))
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"report-recipient-paused:{recipient.pk}:{recipient.changed_at:%Y%m%dT%H%M%S}",
        payload=paused_mail(recipient, organization_name=organization.name, url=url, to=admins),
        organization_id=OrganizationId(organization.pk),
    )
