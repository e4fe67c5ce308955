"""The commercial facts of a workspace as its Settings page lists them: read-only, in words, days in its own zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from apps.core.amounts import format_minor
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, UsageCategoryOverride
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.rules.lifecycle import LifecycleDecision
from apps.subscriptions.wording import ALLOWANCE_WORDS, NEED_WORDS, day, days_from


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: what it is, what it says, and a quieter word on it. `moment` is the exact time behind a day."""

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

    def fact(self, term: str, moment: datetime) -> Fact:
        """A line with the day of the moment, and how far away it is."""
        return Fact(term, day(moment, self.zone), days_from(self.now, moment, self.zone), moment)


_MANAGERS: Mapping[str, str] = {
    ManagedBy.STAFF: "Our billing team",
    ManagedBy.STRIPE: "Stripe",
    ManagedBy.ORB: "Orb",
}
_PAYMENTS: Mapping[str, Fact] = {
    PaymentStatus.UNINITIALIZED: Fact("Payment", "Not set up", "No payment method has been used yet."),
    PaymentStatus.OKAY: Fact("Payment", "In order", "Nothing is open."),
    PaymentStatus.GRACE_PERIOD: Fact("Payment", "Overdue", "A payment failed; service goes on for now."),
    PaymentStatus.DISABLED: Fact("Payment", "Not paid in time", "Service is switched off until it is paid."),
    PaymentStatus.LOCKED: Fact("Payment", "Locked", "An invoice stayed unpaid."),
    PaymentStatus.MANUAL: Fact("Payment", "By arrangement", "Our billing team looks after payment by hand."),
}
_OVERRIDES: Mapping[str, Fact] = {
    "": Fact("Usage is billed", "As used", "By the price of each operation."),
    UsageCategoryOverride.FREE: Fact("Usage is billed", "As free", "It is recorded and costs nothing."),
    UsageCategoryOverride.INTERNAL: Fact("Usage is billed", "As internal", "It is recorded and left out of revenue."),
}


def subscription_facts(record: WorkspaceSubscription, calendar: Calendar) -> list[Fact]:
    """Plan, state, dates and who looks after it. The record comes with its plan."""
    plan = record.plan
    price = f"{format_minor(plan.price_minor, plan.currency)} a {plan.get_interval_display().lower()}"
    facts = [
        Fact("Plan", plan.name, price),
        Fact("State", SubscriptionState(record.state).label),
        calendar.fact("Since", record.started_at),
    ]
    if record.trial_ends_at:
        facts.append(calendar.fact("Trial ends", record.trial_ends_at))
    if record.current_period_start and record.current_period_end:
        facts.append(_period(record.current_period_start, record.current_period_end, calendar))
    if record.ended_at:
        facts.append(calendar.fact("Ended", record.ended_at))
    else:
        facts.append(_renewal(record))
    return [*facts, Fact("Managed by", _MANAGERS.get(record.managed_by, record.managed_by))]


def payment_facts(config: OrganizationPaymentConfig, calendar: Calendar) -> list[Fact]:
    """Payment status, the grace period with its days left, and under which category usage is billed."""
    facts = [_worded(_PAYMENTS, config.payment_status, "Payment")]
    end = config.grace_period_end_at
    if end:
        over = end < calendar.now
        facts.append(calendar.fact("Grace period ended" if over else "Grace period ends", end))
    return [*facts, _worded(_OVERRIDES, config.usage_category_override, "Usage is billed")]


def allowance_lines(decision: LifecycleDecision) -> list[AllowanceLine]:
    """What works now, one line for each class of operations that the lifecycle speaks of."""
    return [
        AllowanceLine(label, ALLOWANCE_WORDS[decision.allowance(need)], decision.allowance(need).value != "no")
        for need, label in NEED_WORDS.items()
    ]


def _period(start: datetime, end: datetime, calendar: Calendar) -> Fact:
    text = f"{day(start, calendar.zone)} to {day(end, calendar.zone)}"
    over = "ended" if end < calendar.now else "ends"
    return Fact("Current period", text, f"{over} {days_from(calendar.now, end, calendar.zone)}")


def _renewal(record: WorkspaceSubscription) -> Fact:
    if record.cancel_at_period_end:
        return Fact("After this period", "Cancelled", "It does not renew.")
    return Fact("After this period", "Continues")


def _worded(words: Mapping[str, Fact], value: str, term: str) -> Fact:
    return words.get(value, Fact(term, value))
