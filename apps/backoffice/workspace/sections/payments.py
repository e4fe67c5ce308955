"""The organization's payment config, which decides for all of its workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import Tone, badge, list_url, moment_there, record_link
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.invoices import invoices_panel
from apps.backoffice.records.provider_links import provider_link
from apps.backoffice.staff import may
from apps.backoffice.workspace.section import Callout, Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core import clock
from apps.core.moments import in_zone, zone_of
from apps.payments.models import ProviderInvoice, WebhookEvent
from apps.subscriptions.enums import PaymentStatus, Provider
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.lifecycle import is_sold_to_others
from apps.subscriptions.rules.payment_transitions import DEFAULT_GRACE_DAYS
from apps.tenants.models import Organization

_ICON = "account_balance_wallet"


def payments_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """Payment status, grace period, subscription status, and how usage is billed."""
    facts = subject.facts
    shown = [
        Fact("Payment status", payment_badge(facts.payment_status)),
        Fact("Subscription status", facts.subscription_status.label, _whose_status(subject)),
    ]
    if facts.grace_period_end_at:
        passed = facts.grace_period_end_at < facts.at
        hint = "Over. The next run of the grace job ends it." if passed and subject.as_of is None else ""
        shown.append(
            Fact("Grace period ends", moment_there(facts.grace_period_end_at, subject.organization.time_zone), hint)
        )
    if subject.config is not None:
        shown.extend(_config_facts(subject.config))
    return Section(
        title="Payments" if subject.as_of is None else "Payments, as they were",
        icon=_ICON,
        about=f"Payments of {subject.organization.name}. Changes apply to all of its workspaces.",
        facts=[*shown, Fact("Organization", record_link(subject.organization))],
        callouts=_callouts(subject),
        panel=_invoices(request, subject),
        links=[("Events of the organization", list_url(WebhookEvent, organization=subject.organization_id))]
        if may(request, "webhook_events.read")
        else [],
    )


def _whose_status(subject: WorkspaceSubject) -> str:
    """The organization's status stands beside the workspace's own record, and often says another thing."""
    if subject.facts.subscription is not None:
        return "Of the organization. Not used here: this workspace has its own subscription."
    if is_sold_to_others(subject.facts):
        return "Of the organization. Each running subscription names another workspace, so this one is not subscribed."
    return "Of the organization. Used here, as this workspace has no subscription of its own."


def _callouts(subject: WorkspaceSubject) -> list[Callout]:
    shared = [review for review in subject.reviews if review.workspace_id is None]
    asked = [Callout(f"Needs review: {review.sentence}", icon="rule", verbs=("unlock",)) for review in shared]
    end = subject.facts.grace_period_end_at
    if subject.as_of is not None or end is None or end <= subject.facts.at:
        return asked
    left = _left(subject.organization, end, subject.facts.at)
    return [*asked, Callout(f"Grace period: {left}. Then payments are disabled and all connectors are turned off.")]


def _invoices(request: HttpRequest, subject: WorkspaceSubject) -> Panel | None:
    if subject.as_of is not None or not may(request, "provider_objects.read"):
        return None
    invoices = ProviderInvoice.objects.filter(organization=subject.organization_id).order_by("-issued_at", "pk")
    return invoices_panel(invoices, list_url(ProviderInvoice, organization=subject.organization_id))


def _config_facts(config: OrganizationPaymentConfig) -> list[Fact]:
    days = config.grace_period_days
    customers = [
        Fact(f"{provider.label} customer", provider_link(provider, "customer", value))
        for provider, value in ((Provider.STRIPE, config.payment_provider_id), (Provider.ORB, config.orb_customer_id))
        if value
    ]
    return [
        Fact("Usage is billed", _billed(config)),
        Fact("Length of grace periods", f"{days or DEFAULT_GRACE_DAYS} days", "" if days else "The default."),
        *customers,
    ]


_TONES: Mapping[PaymentStatus, Tone] = {
    PaymentStatus.UNINITIALIZED: "neutral",
    PaymentStatus.OKAY: "good",
    PaymentStatus.GRACE_PERIOD: "warn",
    PaymentStatus.DISABLED: "bad",
    PaymentStatus.LOCKED: "bad",
    PaymentStatus.MANUAL: "info",
}


def payment_badge(value: str) -> SafeString:
    """The payment status in words."""
    status = PaymentStatus(value)
    return badge(status.label, _TONES.get(status, "neutral"))


def grace_words(organization: Organization, config: OrganizationPaymentConfig) -> str:
    """How long the grace period still lasts, by the organization's calendar; empty without one."""
    end, now = config.grace_period_end_at, clock.now()
    if end is None:
        return ""
    if end <= now:
        return "The grace period is over. The next run of the grace job ends it."
    return f"Grace period: {_left(organization, end, now)}."


def _left(organization: Organization, end: datetime, now: datetime) -> str:
    # By the calendar of the organization, so that staff and tenant read the same number.
    zone = zone_of(organization.time_zone)
    days = (in_zone(end, zone).date() - in_zone(now, zone).date()).days
    return "today is the last day" if days < 1 else "1 day left" if days == 1 else f"{days} days left"


def _billed(config: OrganizationPaymentConfig) -> str:
    override = config.get_usage_category_override_display()
    return f"As {override.lower()}" if override else "As it is used"
