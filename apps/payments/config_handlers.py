"""Handles every change of a payment config: connectors, grace anchor, e-mails, events that waited (spec 04).

Registered with `apps.subscriptions.handlers`; runs in the changing transaction, whoever changed the config. Each
e-mail is a row of the outbox with a key of its own, so that one cause sends one e-mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.urls import reverse

from apps.connectors.selectors.connectors import connectors_for_update
from apps.connectors.services import connectors_auto_disable, connectors_restore
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.mails import Mail, mail_payload, moment_in_zone, public_address
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.payments.inbox import requeue_unmatched
from apps.payments.models import GraceAnchor
from apps.payments.rules.statuses import CauseChange, causes_of_payment, causes_of_subscription, keeps_anchor
from apps.payments.tracking import GraceEnded, GraceStarted, Tracked, billing_event_record
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS
from apps.subscriptions.rules.payment_transitions import is_in_grace
from apps.tenants.models import Organization, Workspace
from apps.tenants.selectors.members import owner_emails

REMINDER_BEFORE = timedelta(days=3)

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
_ENDED = (
    "The open invoice of {name} was not paid in time. We switched off its connectors on {end}.",
    "Its workspaces are read-only. Nothing was deleted.",
    "Please pay the open invoice. The connectors that we switched off are switched on again once the payment arrives.",
)


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
    if changes:
        # All of them at once, before anything of them is written.
        connectors_for_update(organization_id, None)
    for change in changes:
        switch = connectors_auto_disable if change.is_arrival else connectors_restore
        switch(context, organization_id=organization_id, reason=change.reason)


def _handle_grace(context: ExecutionContext, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    status, was = PaymentStatus(config.payment_status), PaymentStatus(before["payment_status"])
    if was == status:
        return
    if not keeps_anchor(status):
        GraceAnchor.objects.filter(organization=config.organization_id).delete()
    if is_in_grace(status):
        _track(context, config, GraceStarted(config.grace_period_end_at))
        notify_grace_started(context, config)
        return
    if is_in_grace(was):
        _track(context, config, GraceEnded(status.value))
    if is_in_grace(was) and keeps_anchor(status):
        notify_grace_ended(context, config, ended_at=before["grace_period_end_at"])


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
    """E-mail the owners that a grace period has started, and until when it lasts."""
    _enqueue_mail(context, config, "started", "A payment failed", _STARTED, config.grace_period_end_at)


def notify_grace_ending(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """E-mail the owners that the grace period ends within three days; once an end."""
    _enqueue_mail(
        context, config, "reminder", "3 days left to pay the open invoice", _REMINDER, config.grace_period_end_at
    )


def notify_grace_ended(
    context: ExecutionContext, config: OrganizationPaymentConfig, *, ended_at: datetime | None
) -> None:
    """E-mail the owners that the grace period is over."""
    _enqueue_mail(context, config, "ended", "Your connectors are switched off", _ENDED, ended_at)


def _enqueue_mail(
    context: ExecutionContext,
    config: OrganizationPaymentConfig,
    what: str,
    subject: str,
    paragraphs: Sequence[str],
    end: datetime | None,
) -> None:
    organization_id = OrganizationId(config.organization_id)
    recipients = owner_emails(organization_id)
    if not recipients or end is None:
        return
    organization = Organization.objects.get(pk=organization_id)
    facts = {"name": organization.name, "end": moment_in_zone(end, organization.time_zone)}
    mail = Mail(
        subject=f"{subject}: {organization.name}",
        paragraphs=["Hello,", *(paragraph.format(**facts) for paragraph in paragraphs)],
        url=public_address(_invoices_path(organization_id)),
        link_text="Open the invoices",
    )
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"grace-{what}:{organization_id}:{end.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        payload=mail_payload(mail, to=recipients),
        organization_id=organization_id,
        is_demo=organization.is_demo,
    )


def _invoices_path(organization_id: OrganizationId) -> str:
    """The invoices are those of the organization, and shown in each of its workspaces."""
    workspace = Workspace.objects.filter(organization=organization_id).order_by("created_at", "pk").first()
    return reverse("billing-invoices", args=[workspace.slug]) if workspace else reverse("billing-home")
