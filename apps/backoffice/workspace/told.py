"""What a verb of the workspace page says after the change: the new value, never only that there is one.

And before it, what a change of plan means for the price, and whether the provider is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from apps.backoffice.verbs import Change, ChangeGroup
from apps.backoffice.workspace.forms import WorkspaceForm
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.amounts import format_minor
from apps.subscriptions.enums import PaymentStatus, SubscriptionStatus, UsageCategoryOverride
from apps.subscriptions.models import OrganizationPaymentConfig, PendingChange, Plan, WorkspaceSubscription
from apps.subscriptions.rules.payment_transitions import DEFAULT_GRACE_DAYS
from apps.subscriptions.services.payment_configs import PaymentConfigOutcome
from apps.subscriptions.services.subscriptions import SubscriptionOutcome


def price_of(plan: Plan) -> str:
    return f"{format_minor(plan.price_minor, plan.currency, is_grouped=True)} a {plan.get_interval_display().lower()}"


def price_effects(subject: WorkspaceSubject, plan: Plan | None) -> Sequence[ChangeGroup]:
    """The price before and after another plan, and who is not told."""
    held = subject.subscription
    if held is None or plan is None or plan.pk == held.plan_id:
        return ()
    return [
        ChangeGroup("Price", [Change(_difference(held.plan, plan), price_of(held.plan), price_of(plan))], _who(held))
    ]


def effects_of_plan(subject: WorkspaceSubject, form: WorkspaceForm) -> Sequence[ChangeGroup]:
    """The price of the plan that the form chooses."""
    return price_effects(subject, Plan.objects.get(pk=form.plan_id) if form.plan_id_if_chosen else None)


def effects_of_pending(subject: WorkspaceSubject, form: WorkspaceForm) -> Sequence[ChangeGroup]:
    """The price of the plan that is scheduled."""
    return price_effects(subject, subject.pending.plan if subject.pending else None)


def _difference(before: Plan, after: Plan) -> str:
    if (before.currency, before.interval) != (after.currency, after.interval):
        return "Price"
    more = after.price_minor - before.price_minor
    if not more:
        return "The same price"
    return f"{format_minor(abs(more), after.currency, is_grouped=True)} {'more' if more > 0 else 'less'}"


def _who(held: WorkspaceSubscription) -> str:
    if not held.provider_subscription_id:
        return "Nothing is sent to Stripe or Orb, and nothing is charged: this changes our record."
    provider = held.get_provider_display()
    return (
        f"{provider} is not told: {held.provider_subscription_id} goes on charging the old price until somebody "
        f"changes it at {provider}."
    )


# --- After the change ------------------------------------------------------------------------------------------------
def _record(outcome: SubscriptionOutcome) -> WorkspaceSubscription:
    if outcome.record is None:
        raise AssertionError("a change of staff leaves a record")
    return outcome.record


def trial_started(outcome: SubscriptionOutcome) -> str:
    held = _record(outcome)
    return f"The trial of {held.plan.name} has started{_until(held.trial_ends_at)}."


def activated(outcome: SubscriptionOutcome) -> str:
    held = _record(outcome)
    return f"The subscription is active on {held.plan.name} now{_until(held.current_period_end)}."


def plan_changed(outcome: SubscriptionOutcome) -> str:
    return f"The plan is {_record(outcome).plan.name} now."


def renewal_set(outcome: SubscriptionOutcome) -> str:
    held = _record(outcome)
    end = f", which ends on {day(held.current_period_end)}" if held.current_period_end else ""
    return f"The subscription {'does not renew' if held.cancel_at_period_end else 'renews'} after this period{end}."


def period_set(outcome: SubscriptionOutcome) -> str:
    held = _record(outcome)
    return f"The current period is {day(held.current_period_start)} to {day(held.current_period_end)} now."


def handed_over(outcome: SubscriptionOutcome) -> str:
    held = _record(outcome)
    return f"{held.get_provider_display()} manages the subscription now; it is {held.get_state_display().lower()}."


def pending_confirmed(outcome: SubscriptionOutcome) -> str:
    held = _record(outcome)
    return f"The scheduled change is made: {held.plan.name}, {held.get_state_display().lower()}."


def pending_recorded(pending: PendingChange) -> str:
    plan = f" to {pending.plan.name}" if pending.plan else ""
    what = f"{pending.get_kind_display().lower()}{plan}"
    return f"Scheduled for {day(pending.due_at)}: {what}. Someone must confirm it then."


def grace_started(outcome: PaymentConfigOutcome) -> str:
    return f"The grace period has started and ends on {day(outcome.record.grace_period_end_at)}."


def grace_extended(outcome: PaymentConfigOutcome) -> str:
    return f"The grace period ends on {day(outcome.record.grace_period_end_at)} now."


def status_is(outcome: PaymentConfigOutcome) -> str:
    return f"The payment status is {PaymentStatus(outcome.record.payment_status).label.lower()} now."


def subscription_status_is(outcome: PaymentConfigOutcome) -> str:
    return f"The subscription status is {SubscriptionStatus(outcome.record.subscription_status).label.lower()} now."


def usage_billed(outcome: PaymentConfigOutcome) -> str:
    category = outcome.record.usage_category_override
    if not category:
        return "Usage is billed as it is used now."
    return f"Usage is billed as {UsageCategoryOverride(category).label.lower()} now."


def grace_days(outcome: PaymentConfigOutcome) -> str:
    days = outcome.record.grace_period_days
    return f"Future grace periods are {days or DEFAULT_GRACE_DAYS} days long{'' if days else ', as usual'}."


def customers_linked(outcome: PaymentConfigOutcome) -> str:
    return f"The customer at the provider is {_customers(outcome.record)} now."


def _customers(config: OrganizationPaymentConfig) -> str:
    named = (("Stripe", config.payment_provider_id), ("Orb", config.orb_customer_id))
    return " and ".join(f"{key} at {name}" for name, key in named if key)


def day(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%-d %B %Y}" if at else "no day"


def _until(at: datetime | None) -> str:
    return f", until {day(at)}" if at else ""
