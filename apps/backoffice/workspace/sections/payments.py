"""The organization's payment config, which each of its workspaces rests on."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.display import Tone, badge, code, moment, record_link
from apps.backoffice.panels import Fact
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.subscriptions.enums import PaymentStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.payment_transitions import DEFAULT_GRACE_DAYS

_ICON = "account_balance_wallet"


def payments_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """Payment status, grace period, subscription status, and how usage is billed."""
    facts = subject.facts
    shown = [
        Fact("Payment status", _status(facts.payment_status)),
        Fact("Subscription status", facts.subscription_status.label),
    ]
    if facts.grace_period_end_at:
        passed = facts.grace_period_end_at < facts.at
        hint = "Passed: the next run of the grace job ends it." if passed and subject.as_of is None else ""
        shown.append(Fact("Grace period ends", moment(facts.grace_period_end_at), hint))
    if subject.config is not None:
        shown.extend(_config_facts(subject.config))
    return Section(
        title="Payments" if subject.as_of is None else "Payments, as they were",
        icon=_ICON,
        about=f"Of {subject.organization.name}: a change here holds for each of its workspaces.",
        facts=[*shown, Fact("Organization", record_link(subject.organization))],
    )


def _config_facts(config: OrganizationPaymentConfig) -> list[Fact]:
    days = config.grace_period_days
    customers = [
        Fact(label, code(value))
        for label, value in (("Stripe customer", config.payment_provider_id), ("Orb customer", config.orb_customer_id))
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


def _status(status: PaymentStatus) -> SafeString:
    return badge(status.label, _TONES.get(status, "neutral"))


def _billed(config: OrganizationPaymentConfig) -> str:
    override = config.get_usage_category_override_display()
    return f"As {override.lower()}" if override else "As it is used"
