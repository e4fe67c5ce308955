"""Grace periods: ends those that are due, reminds of the end, and e-mails the owners (spec 04, Grace period).

Due rows, not timers, so that it is right after any outage. Each e-mail is a row of the outbox with a key of its own, so
that one cause sends one e-mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId
from apps.core.jobs.apart import Apart
from apps.core.mails import Mail, mail_payload, moment_in_zone, public_address
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.core.pieces import in_pieces
from apps.subscriptions.contracts import EndGrace
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import Organization, Workspace
from apps.tenants.selectors.members import owner_emails

_END_REASON = "the grace period is over"


def end_due_grace_periods(
    context: ExecutionContext, *, now: datetime, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """End each grace period that is due, one transaction each, in the order of the organizations.

    Raises `SomeFailedError` in the end where one could not be ended; all the others are.
    """
    counts, organizations = {"ended": 0, "changed_meanwhile": 0}, Apart("organizations")
    due = _running_grace_periods(organization_id, include_demo=include_demo).filter(grace_period_end_at__lte=now)
    for config in in_pieces(due, key=["organization_id"]):
        with organizations.record(config.organization_id):
            counts["ended" if _end_grace(context, config) else "changed_meanwhile"] += 1
    organizations.finish()
    return counts


def remind_before_grace_ends(
    context: ExecutionContext, *, now: datetime, organization_id: UUID | None, include_demo: bool
) -> int:
    """Tell the owners of each grace period that ends within three days, once an end; returns how many there are.

    Raises `SomeFailedError` in the end where some could not be told; all the others are.
    """
    soon = _running_grace_periods(organization_id, include_demo=include_demo).filter(
        grace_period_end_at__gt=now, grace_period_end_at__lte=now + REMINDER_BEFORE
    )
    organizations = Apart("organizations")
    for config in in_pieces(soon, key=["organization_id"]):
        with organizations.record(config.organization_id), transaction.atomic():
            notify_grace_ending(_organization_context(context, config), config)
    organizations.finish()
    return organizations.done


def _running_grace_periods(organization_id: UUID | None, *, include_demo: bool) -> QuerySet[OrganizationPaymentConfig]:
    rows = OrganizationPaymentConfig.objects.filter(grace_period_end_at__isnull=False).select_related("organization")
    if organization_id is not None:
        rows = rows.filter(organization=organization_id)
    if not include_demo:
        rows = rows.filter(organization__is_demo=False)
    return rows


def _end_grace(context: ExecutionContext, config: OrganizationPaymentConfig) -> bool:
    """Whether it was ended. Who paid, or got more time, since the row was read keeps what they got."""
    try:
        payment_config_change(
            _organization_context(context, config),
            organization_id=OrganizationId(config.organization_id),
            change=EndGrace(),
            reason=_END_REASON,
            expected_version=config.version,
        )
    except ConflictError:
        return False
    return True


def _organization_context(context: ExecutionContext, config: OrganizationPaymentConfig) -> ExecutionContext:
    return context.within(OrganizationId(config.organization_id), is_demo=config.organization.is_demo)


REMINDER_BEFORE = timedelta(days=3)

# What is said, and what helps; each is one paragraph.
_STARTED = (
    "A payment of {name} did not go through. Everything goes on working until {end}.",
    "Please pay the open invoice, or enter another way to pay. Once the payment has arrived, all is well again.",
)
_REMINDER = (
    "A payment of {name} is still open.",
    "On {end} its connectors are switched off, and its workspaces can be read but not changed.",
    "Please pay the open invoice before that date.",
)
_ENDED = (
    "The open invoice of {name} was not paid in time. Its connectors were switched off on {end}.",
    "Its workspaces can be read but not changed. Nothing was deleted.",
    "Please pay the open invoice. The connectors that we switched off come back once the payment has arrived.",
)


def notify_grace_started(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Tell the owners that a grace period runs, and until when."""
    _enqueue_mail(context, config, "started", "A payment did not go through", _STARTED, config.grace_period_end_at)


def notify_grace_ending(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Tell the owners that the grace period ends in three days; once an end."""
    _enqueue_mail(
        context, config, "reminder", "Three days left to pay the open invoice", _REMINDER, config.grace_period_end_at
    )


def notify_grace_ended(
    context: ExecutionContext, config: OrganizationPaymentConfig, *, ended_at: datetime | None
) -> None:
    """Tell the owners that the grace period is over."""
    _enqueue_mail(context, config, "ended", "The connectors are switched off", _ENDED, ended_at)


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
