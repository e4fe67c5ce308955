"""What the Settings page of a workspace lists of its subscription and payments; days in its own zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from apps.core.amounts import format_minor
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, UsageCategoryOverride
from apps.subscriptions.messages import ALLOWANCE_WORDS, NEED_WORDS, day, days_from
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.rules.lifecycle import LifecycleDecision


@dataclass(frozen=True, slots=True)
class SettingsLine:
    """One line: term, value and a note. `moment` is the exact time behind a day."""

    term: str
    text: str
    note: str = ""
    moment: datetime | None = None


@dataclass(frozen=True, slots=True)
class AllowanceLine:
    """One class of operations, and how far it works now."""

    label: str
    answer: str
    works: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """Now, and the zone whose days count."""

    now: datetime
    zone: tzinfo

    def line(self, term: str, moment: datetime) -> SettingsLine:
        """A line with the day of the moment, and how far away it is."""
        return SettingsLine(term, day(moment, self.zone), days_from(self.now, moment, self.zone), moment)


_MANAGERS: Mapping[str, str] = {
    ManagedBy.STAFF: "Our billing team",
    ManagedBy.STRIPE: "Stripe",
    ManagedBy.ORB: "Orb",
}
_PAYMENTS: Mapping[str, SettingsLine] = {
    PaymentStatus.UNINITIALIZED: SettingsLine("Payments", "Not set up", "No payment method has been used yet."),
    PaymentStatus.OKAY: SettingsLine("Payments", "Up to date", "No unpaid invoices."),
    PaymentStatus.GRACE_PERIOD: SettingsLine("Payments", "Overdue", "A payment failed; service continues for now."),
    PaymentStatus.DISABLED: SettingsLine(
        "Payments", "Not paid in time", "Service is switched off until the invoice is paid."
    ),
    PaymentStatus.LOCKED: SettingsLine("Payments", "Locked", "An invoice stayed unpaid."),
    PaymentStatus.MANUAL: SettingsLine("Payments", "By arrangement", "Our billing team handles payments by hand."),
}
_OVERRIDES: Mapping[str, SettingsLine] = {
    "": SettingsLine("Billing", "Pay as you go", "By the price of each operation."),
    UsageCategoryOverride.FREE: SettingsLine("Billing", "Free", "Usage is recorded and costs nothing."),
    UsageCategoryOverride.INTERNAL: SettingsLine("Billing", "Internal", "Usage is recorded and left out of revenue."),
}

_RENEWALS: Mapping[str, SettingsLine] = {
    SubscriptionState.TRIALING: SettingsLine(
        "After the trial", "Your choice", "Choose a plan before it ends; our billing team sets it up with you."
    ),
}


def subscription_facts(record: WorkspaceSubscription, calendar: Calendar) -> list[SettingsLine]:
    """Plan, state, dates and who looks after it. The record comes with its plan."""
    plan = record.plan
    price = f"{format_minor(plan.price_minor, plan.currency, is_grouped=True)} a {plan.get_interval_display().lower()}"
    facts = [
        SettingsLine("Plan", plan.name, price),
        SettingsLine("State", SubscriptionState(record.state).label),
        calendar.line("Since", record.started_at),
    ]
    if record.trial_ends_at:
        facts.append(calendar.line("Trial ends", record.trial_ends_at))
    if record.current_period_start and record.current_period_end:
        facts.append(_period(record.current_period_start, record.current_period_end, calendar))
    if record.ended_at:
        facts.append(calendar.line("Ended", record.ended_at))
    else:
        facts.append(_RENEWALS.get(record.state) or _renewal(record))
    return [*facts, SettingsLine("Managed by", _MANAGERS.get(record.managed_by, record.managed_by))]


def payment_facts(config: OrganizationPaymentConfig, calendar: Calendar) -> list[SettingsLine]:
    """Payment status, the grace period with its days left, and under which category usage is billed."""
    facts = [_line_for(_PAYMENTS, config.payment_status, "Payments")]
    end = config.grace_period_end_at
    if end:
        over = end < calendar.now
        facts.append(calendar.line("Grace period ended" if over else "Grace period ends", end))
    return [*facts, _line_for(_OVERRIDES, config.usage_category_override, "Billing")]


def allowance_lines(decision: LifecycleDecision) -> list[AllowanceLine]:
    """What works now, one line for each class of operations that the lifecycle speaks of."""
    return [
        AllowanceLine(label, ALLOWANCE_WORDS[decision.allowance(need)], decision.allowance(need).value != "no")
        for need, label in NEED_WORDS.items()
    ]


def _period(start: datetime, end: datetime, calendar: Calendar) -> SettingsLine:
    text = f"{day(start, calendar.zone)} to {day(end, calendar.zone)}"
    over = "ended" if end < calendar.now else "ends"
    return SettingsLine("Current period", text, f"{over} {days_from(calendar.now, end, calendar.zone)}")


def _renewal(record: WorkspaceSubscription) -> SettingsLine:
    if record.cancel_at_period_end:
        return SettingsLine("After this period", "Cancelled", "It does not renew.")
    return SettingsLine("After this period", "Continues")


def _line_for(words: Mapping[str, SettingsLine], value: str, term: str) -> SettingsLine:
    return words.get(value, SettingsLine(term, value))
