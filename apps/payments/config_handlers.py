"""Handles every change of a payment config: connectors, grace anchor, e-mails, events that waited (spec 04).

Registered with `apps.subscriptions.handlers`; runs in the changing transaction, whoever changed the config. Each
e-mail is a row of the outbox with a key of its own, so that one cause sends one e-mail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.urls import reverse

from apps.connectors.enums import AutoDisableReason, ConnectorStatus
from apps.connectors.selectors.connectors import connectors_for_update
from apps.connectors.services import connectors_auto_disable, connectors_restore
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.mails import Mail, mail_payload, moment_in_zone, public_address
from apps.core.moments import in_zone, zone_of
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.payments.enums import ReviewKind
from apps.payments.inbox import requeue_unmatched
from apps.payments.models import GraceAnchor, Review
from apps.payments.rules.statuses import CauseChange, causes_of_payment, causes_of_subscription, keeps_anchor
from apps.payments.status_sync import anchor_standing, describe_invoice, open_invoices
from apps.payments.tracking import GraceEnded, GraceStarted, Tracked, billing_event_record
from apps.payments.workspace_connectors import names_switched_off
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS
from apps.subscriptions.rules.payment_transitions import is_handed_back_from, is_in_grace, was_handed_back
from apps.subscriptions.services.change_steps import is_person
from apps.tenants.enums import NoticeKind
from apps.tenants.models import Organization, Workspace
from apps.tenants.selectors.notices import notice_emails, notices_address

REMINDER_BEFORE = timedelta(days=3)

_MOST_NAMES = 20

# One paragraph each: what happened, what comes next, what to do.
_STARTED = (
    "A payment of {name} failed. Everything keeps working until {end}.",
    "Please pay the open invoice or add another payment method before then.",
)
_REMINDER = (
    "An invoice of {name} is still unpaid.",
    "On {end} we switch off its connectors, and its workspaces become read-only.",
    "Please pay the open invoice before that date.",
)
_READ_ONLY = "Its workspaces are read-only. Nothing was deleted."
# What happened, and what helps; between them stands what was switched off.
_SWITCHED_OFF: Mapping[AutoDisableReason, tuple[str, str]] = {
    AutoDisableReason.INVALID_PAYMENT_METHOD: (
        "The open invoice of {name} was not paid in time.",
        "Please pay the open invoice. What we switched off is switched on again once the payment arrives.",
    ),
    AutoDisableReason.INVOICE_MARKED_UNCOLLECTIBLE: (
        "The account of {name} is locked.",
        "Please pay what is open, then contact our billing team. Once they unlock it, everything is switched on again.",
    ),
    AutoDisableReason.UNSUBSCRIBED: (
        "The subscription of {name} has ended.",
        "Choose a plan to start again. What we switched off is switched on again then.",
    ),
}


def handle_payment_config_change(
    context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]
) -> None:
    """Handle the change; each part returns at once where its fields did not change."""
    _switch_connectors(context, config, before)
    _handle_grace(context, config, before)
    for provider, field in CUSTOMER_FIELDS.items():
        customer_id = getattr(config, field)
        if customer_id and customer_id != before[field]:
            requeue_unmatched(provider, customer_id)


def _switch_connectors(context: ExecutionContext, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    changes: list[CauseChange] = []
    status, subscription = PaymentStatus(config.payment_status), SubscriptionStatus(config.subscription_status)
    if before["payment_status"] != status:
        changes += causes_of_payment(status)
    if before["subscription_status"] != subscription:
        changes += causes_of_subscription(subscription)
    organization_id = OrganizationId(config.organization_id)
    if not changes:
        return
    # All of them at once, before anything of them is written.
    locked = connectors_for_update(organization_id, None)
    enabled = [connector.pk for connector in locked if connector.status == ConnectorStatus.ENABLED]
    for change in changes:
        switch = connectors_auto_disable if change.is_arrival else connectors_restore
        switch(context, organization_id=organization_id, reason=change.reason)
        if change.is_arrival:
            _notify_switched_off(context, config, change.reason, enabled, before["grace_period_end_at"])


def _handle_grace(context: ExecutionContext, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    status, was = PaymentStatus(config.payment_status), PaymentStatus(before["payment_status"])
    if was == status:
        if is_in_grace(status) and config.grace_period_end_at != before["grace_period_end_at"]:
            _tell_new_end(context, config)
        return
    if not keeps_anchor(status):
        GraceAnchor.objects.filter(organization=config.organization_id).delete()
    elif is_handed_back_from(was):
        anchor_standing(config)
    if is_handed_back_from(was):
        Review.objects.filter(organization=config.organization_id, kind=ReviewKind.PAID_WHILE_LOCKED).delete()
    if is_in_grace(status):
        _track(context, config, GraceStarted(config.grace_period_end_at, was.value))
        notify_grace_started(context, config)
        return
    if is_in_grace(was):
        _track(context, config, GraceEnded(status.value, was.value))


def _tell_new_end(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Tell of an end that rests on another invoice now; what staff promise, they tell themselves."""
    if not is_person(context):
        notify_grace_started(context, config)


def _track(context: ExecutionContext, config: OrganizationPaymentConfig, properties: Tracked) -> None:
    billing_event_record(
        context,
        properties=properties,
        organization_id=OrganizationId(config.organization_id),
        occurred_at=clock.now(),
        # Each version of the config is one change of it.
        key=f"{properties.name.name.lower()}:{config.pk}:{config.version}",
    )


def notify_grace_started(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Mail that a payment failed, and until when everything keeps working; once an end."""
    end = config.grace_period_end_at
    if end is not None and end > clock.now():
        _enqueue_mail(context, config, _Notice(f"grace-started:{{}}:{_stamp(end)}", "A payment failed", _STARTED, end))


def notify_grace_ending(context: ExecutionContext, config: OrganizationPaymentConfig, *, now: datetime) -> None:
    """Mail that the grace period ends within three days; once an end."""
    end = config.grace_period_end_at
    if end is None or end <= now:
        return
    zone = zone_of(Organization.objects.values_list("time_zone", flat=True).get(pk=config.organization_id))
    days = (in_zone(end, zone).date() - in_zone(now, zone).date()).days
    left = "Last day" if days < 1 else "1 day left" if days == 1 else f"{days} days left"
    notice = _Notice(f"grace-reminder:{{}}:{_stamp(end)}", f"{left} to pay the open invoice", _REMINDER, end)
    _enqueue_mail(context, config, notice)


def _notify_switched_off(
    context: ExecutionContext,
    config: OrganizationPaymentConfig,
    reason: AutoDisableReason,
    enabled: Sequence[UUID],
    grace_ended_at: datetime | None,
) -> None:
    """Mail what a cause has switched off, and what helps: one mail a cause."""
    happened, remedy = _SWITCHED_OFF[reason]
    stamp = _stamp(grace_ended_at) if grace_ended_at else str(config.version)
    key = f"grace-ended:{{}}:{stamp}" if grace_ended_at else f"{reason.value}:{{}}:{stamp}"
    # Braces are the template's own.
    switched = names_switched_off(enabled).replace("{", "{{").replace("}", "}}")
    paragraphs = (happened, _READ_ONLY, *([switched] if switched else []), remedy)
    subject = "Your connectors are switched off" if switched else "Your workspaces are read-only"
    _enqueue_mail(context, config, _Notice(key, subject, paragraphs))


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


@dataclass(frozen=True, slots=True)
class _Notice:
    """One mail about payments. `key` has a place for the organization; its texts one for `name`, and one for `end`."""

    key: str
    subject: str
    paragraphs: Sequence[str]
    end: datetime | None = None


def _enqueue_mail(context: ExecutionContext, config: OrganizationPaymentConfig, notice: _Notice) -> None:
    organization_id = OrganizationId(config.organization_id)
    recipients = notice_emails(organization_id, NoticeKind.PAYMENTS)
    if not recipients:
        return
    organization = Organization.objects.get(pk=organization_id)
    end = moment_in_zone(notice.end, organization.time_zone) if notice.end else ""
    mail = Mail(
        subject=f"{notice.subject}: {organization.name}",
        paragraphs=["Hello,", *(text.format(name=organization.name, end=end) for text in notice.paragraphs)],
        url=public_address(_invoices_path(organization_id)),
        link_text="Open the invoices",
        choose_url=notices_address(organization_id),
    )
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=notice.key.format(organization_id),
        payload=mail_payload(mail, to=recipients),
        organization_id=organization_id,
        is_demo=organization.is_demo,
    )


def describe_open_invoices(workspace_id: WorkspaceId) -> Callable[[], list[str]]:
    """For previews: where staff hand the payment status back, the invoices that are still open."""
    before = _config_of(workspace_id).payment_status

    def describe() -> list[str]:
        config = _config_of(workspace_id)
        if not was_handed_back(PaymentStatus(before), PaymentStatus(config.payment_status)):
            return []
        rows = open_invoices(OrganizationId(config.organization_id))
        named = [describe_invoice(row) for row in rows[: _MOST_NAMES + 1]]
        if not named:
            return ["No invoice is open that counts against the organization."]
        more = " and more" if len(named) > _MOST_NAMES else ""
        return [f"Still open: {', '.join(named[:_MOST_NAMES])}{more}. To let one go, use Forgive an invoice."]

    return describe


def _config_of(workspace_id: WorkspaceId) -> OrganizationPaymentConfig:
    return OrganizationPaymentConfig.objects.get(organization__workspaces=workspace_id)


def _invoices_path(organization_id: OrganizationId) -> str:
    """The invoices are those of the organization, and shown in each of its workspaces."""
    workspace = Workspace.objects.filter(organization=organization_id).order_by("created_at", "pk").first()
    return reverse("billing-invoices", args=[workspace.slug]) if workspace else reverse("billing-home")
