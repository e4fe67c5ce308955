"""E-mails to the owners about a grace period: when it starts, three days before its end, at its end (spec 04).

Each is a row of the outbox with a key of its own, so that one cause sends one e-mail.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Organization
from apps.tenants.selectors.members import owner_emails

REMINDER_BEFORE = timedelta(days=3)

_STARTED = """Hello,

a payment of {name} did not go through. Everything goes on working until {end}.

What helps: sign in, open Billing, then Invoices, and pay the open invoice or enter another way
to pay. As soon as the payment has arrived nothing more is to be done.
"""
_REMINDER = """Hello,

a payment of {name} is still open. On {end} the connectors of {name} are switched off, and its workspaces can be
read but not changed.

What helps: sign in, open Billing, then Invoices, and pay the open invoice before that date.
"""
_ENDED = """Hello,

the open invoice of {name} was not paid in time. Its connectors are switched off now, and its workspaces
can be read but not changed. Nothing was deleted.

What helps: sign in, open Billing, then Invoices, and pay the open invoice. The connectors that we
switched off come back by themselves once the payment has arrived.
"""


def grace_started_notice(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Tell the owners that a grace period runs, and until when."""
    _send(context, config, "started", "A payment did not go through", _STARTED, config.grace_period_end_at)


def grace_reminder(context: ExecutionContext, config: OrganizationPaymentConfig) -> None:
    """Tell the owners that the grace period ends in three days; once an end."""
    _send(context, config, "reminder", "Three days left to pay the open invoice", _REMINDER, config.grace_period_end_at)


def grace_ended_notice(
    context: ExecutionContext, config: OrganizationPaymentConfig, *, ended_at: datetime | None
) -> None:
    """Tell the owners that the grace period is over."""
    _send(context, config, "ended", "The connectors are switched off", _ENDED, ended_at)


def _send(
    context: ExecutionContext,
    config: OrganizationPaymentConfig,
    what: str,
    subject: str,
    text: str,
    end: datetime | None,
) -> None:
    organization_id = OrganizationId(config.organization_id)
    recipients = owner_emails(organization_id)
    if not recipients or end is None:
        return
    name, is_demo = Organization.objects.values_list("name", "is_demo").get(pk=organization_id)
    # One line: a subject with a break in it would be refused.
    title = " ".join(f"{subject}: {name}".split())
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"grace-{what}:{organization_id}:{end.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        payload={
            "to": recipients,
            "subject": title,
            "text": text.format(name=name, end=f"{end.astimezone(UTC):%-d %B %Y, %H:%M} UTC"),
        },
        organization_id=organization_id,
        is_demo=is_demo,
    )
