"""Who gets daily reports by mail: set by an admin, confirmed by the mailbox, ended by one click (spec 07)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit.services import audit_append
from apps.core.audit_events import AuditEvent
from apps.core.context import ExecutionContext
from apps.core.emails import EmailAddressError, canonical_email
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.core.operations import require
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.reporting.events import REPORT_RECIPIENT_ADDED, REPORT_RECIPIENT_CHANGED, REPORT_RECIPIENT_REMOVED
from apps.reporting.mails import confirm_mail
from apps.reporting.models import ReportRecipient
from apps.reporting.rules.recipients import MOST_RECIPIENTS, RecipientStatus, status_when_added
from apps.reporting.selectors.reports import member_of
from apps.tenants.models import Organization, User

SET_OPERATION, SUBSCRIBE_OPERATION = "daily_reports.recipients", "daily_reports.subscribe"
# A mailbox that nobody confirmed is asked at most once in this time, however often an admin tries.
_ASK_AGAIN_AFTER = timedelta(days=1)


@transaction.atomic
def report_recipient_add(context: ExecutionContext, *, organization_id: OrganizationId, email: str) -> ReportRecipient:
    """Add an address; a member gets reports at once, any other mailbox is asked first. Audited.

    Adding one that is there already asks again where a day has passed. Raises `ForbiddenError`, `NotFoundError` for an
    organization other than the context's, `UnprocessableError` for what is no address, `ConflictError` for too many.
    """
    require(context, SET_OPERATION)
    organization = _lock_organization(context, organization_id)
    try:
        address = canonical_email(email.strip())
    except EmailAddressError as error:
        raise UnprocessableError(
            f"The address {error}", errors=[FieldError("email", "invalid_email", f"The address {error}")]
        ) from error
    member = member_of(organization_id, address)
    recipient = ReportRecipient.objects.filter(organization=organization_id, email=address).first()
    if recipient is None and ReportRecipient.objects.filter(organization=organization_id).count() >= MOST_RECIPIENTS:
        raise ConflictError(f"There are {MOST_RECIPIENTS} recipients already. Remove one first.")
    former = RecipientStatus(recipient.status) if recipient is not None else None
    now = clock.now()
    if recipient is None:
        recipient = ReportRecipient(organization=organization, email=address, created_at=now)
    recipient.user = member
    recipient.status = status_when_added(is_member=member is not None, former=former)
    recipient.note, recipient.changed_at = "", now
    if recipient.status == RecipientStatus.WAITING:
        _ask(context, recipient, organization)
    recipient.save()
    if recipient.status != former:
        event = REPORT_RECIPIENT_ADDED if former is None else REPORT_RECIPIENT_CHANGED
        _audit(context, event, recipient, before=former)
    return recipient


@transaction.atomic
def report_recipient_remove(context: ExecutionContext, *, organization_id: OrganizationId, recipient_id: UUID) -> None:
    """Take an address off; one that unsubscribed stays noted, so that it is asked before it gets mail again. Audited.

    Raises `ForbiddenError`, `NotFoundError`.
    """
    require(context, SET_OPERATION)
    _lock_organization(context, organization_id)
    recipient = ReportRecipient.objects.filter(organization=organization_id, pk=recipient_id).first()
    if recipient is None:
        raise NotFoundError("There is no such recipient. It may have been removed meanwhile.")
    if recipient.status == RecipientStatus.UNSUBSCRIBED:
        return
    _audit(context, REPORT_RECIPIENT_REMOVED, recipient, before=RecipientStatus(recipient.status))
    recipient.delete()


@transaction.atomic
def report_recipient_confirm(context: ExecutionContext, recipient_id: UUID, *, email: str) -> ReportRecipient:
    """Whoever reads the mailbox agrees. Twice changes nothing. Audited. Raises `NotFoundError` once it is gone."""
    recipient = _lock(recipient_id)
    if recipient is None or recipient.email != email or recipient.status == RecipientStatus.UNSUBSCRIBED:
        raise NotFoundError("This address is no longer wanted as a recipient. Ask an admin to add it again.")
    if recipient.status == RecipientStatus.WAITING:
        _move(context, recipient, RecipientStatus.ACTIVE)
    return recipient


@transaction.atomic
def report_recipient_unsubscribe(context: ExecutionContext, recipient_id: UUID) -> ReportRecipient | None:
    """End mails to the recipient at once; doing it again changes nothing. None for one that is gone. Audited."""
    recipient = _lock(recipient_id)
    if recipient is not None and recipient.status != RecipientStatus.UNSUBSCRIBED:
        _move(context, recipient, RecipientStatus.UNSUBSCRIBED)
    return recipient


@transaction.atomic
def platform_report_subscribe(context: ExecutionContext, *, user_id: UserId, is_wanted: bool) -> bool:
    """Let a colleague get the platform's report, or no longer; returns whether that changed anything. Audited.

    Raises `ForbiddenError`.
    """
    require(context, SUBSCRIBE_OPERATION)
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    now = clock.now()
    recipient = ReportRecipient.objects.filter(organization=None, user=user).first()
    former = RecipientStatus(recipient.status) if recipient is not None else None
    wanted = RecipientStatus.ACTIVE if is_wanted else RecipientStatus.UNSUBSCRIBED
    if former is wanted or (former is None and not is_wanted):
        return False
    if recipient is None:
        recipient = ReportRecipient(user=user, created_at=now)
    recipient.email, recipient.status, recipient.note, recipient.changed_at = user.email, wanted, "", now
    recipient.save()
    _audit(context, REPORT_RECIPIENT_ADDED if former is None else REPORT_RECIPIENT_CHANGED, recipient, before=former)
    return True


def _ask(context: ExecutionContext, recipient: ReportRecipient, organization: Organization) -> None:
    now = clock.now()
    if recipient.asked_at is not None and recipient.asked_at > now - _ASK_AGAIN_AFTER:
        return
    recipient.asked_at = now
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"report-recipient-confirm:{recipient.pk}:{now:%Y%m%dT%H%M%S}",
        payload=confirm_mail(recipient, organization.name),
        organization_id=OrganizationId(organization.pk),
        is_demo=organization.is_demo,
    )


def _move(context: ExecutionContext, recipient: ReportRecipient, status: RecipientStatus) -> None:
    former, recipient.status = RecipientStatus(recipient.status), status
    recipient.note, recipient.changed_at = "", clock.now()
    recipient.save(update_fields=["status", "note", "changed_at"])
    _audit(context, REPORT_RECIPIENT_CHANGED, recipient, before=former)


def _audit(
    context: ExecutionContext, event: AuditEvent, recipient: ReportRecipient, *, before: RecipientStatus | None
) -> None:
    audit_append(
        context,
        event,
        recipient.audit_target,
        before={"status": before.value} if before is not None else None,
        after={"email": recipient.email, "status": recipient.status},
    )


def _lock(recipient_id: UUID) -> ReportRecipient | None:
    recipients = ReportRecipient.objects.select_for_update(of=("self",)).select_related("organization")
    return recipients.filter(pk=recipient_id).first()


def _lock_organization(context: ExecutionContext, organization_id: OrganizationId) -> Organization:
    """The organization, whose recipients nobody else changes meanwhile."""
    organization = Organization.objects.select_for_update(no_key=True).filter(pk=organization_id).first()
    if organization is None or context.organization_id != organization_id:
        raise NotFoundError("There is no such organization.")
    return organization
