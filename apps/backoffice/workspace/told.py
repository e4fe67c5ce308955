"""What a verb of the workspace page says after the change: the new value, never only that there is one.

And before it, what a change means for money: the price, whether the provider is told, and what it goes on charging.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.records.provider_links import provider_link
from apps.backoffice.verbs import Change, ChangeGroup
from apps.backoffice.workspace.forms import WorkspaceForm
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.amounts import format_minor
from apps.payments.models import ProviderSubscription
from apps.payments.selectors.dues import is_idle
from apps.subscriptions.enums import PaymentStatus, Provider, SubscriptionStatus, UsageCategoryOverride
from apps.subscriptions.models import OrganizationPaymentConfig, PendingChange, Plan, WorkspaceSubscription
from apps.subscriptions.rules.payment_transitions import DEFAULT_GRACE_DAYS
from apps.subscriptions.services.payment_configs import PaymentConfigOutcome
from apps.subscriptions.services.subscriptions import SubscriptionOutcome

_AS_NOW = "goes on charging as it does now until somebody changes it at {provider}."
# What the provider's subscription goes on doing after each verb.
_GOES_ON: Mapping[str, str] = {
    "start_trial": _AS_NOW,
    "activate": _AS_NOW,
    "change_plan": "goes on charging the old price until somebody changes it at {provider}.",
    "resume": "stays as it is. If it was paused, it charges nothing until somebody resumes it at {provider} too.",
    "mark_past_due": "goes on charging and asking for what is open as before.",
    "suspend": "goes on charging a workspace that is read-only, until somebody pauses or cancels it at {provider}.",
    "end": "goes on charging until somebody cancels it at {provider}.",
    "set_cancel_at_period_end": "renews and charges again unless somebody cancels it at {provider} too.",
    "renew": "ends all the same if it was cancelled at {provider}; somebody has to let it renew there.",
    "update_period": "goes on charging on the days that {provider} has.",
    "hand_to_provider": "goes on charging as before, and its next news decide here again.",
    "take_over": "goes on charging until somebody cancels it at {provider}. Its news only show as a difference here.",
    "record_pending_change": "goes on charging as it does now, also once the change is confirmed here, until somebody "
    "changes or cancels it at {provider}.",
}


def price_of(plan: Plan) -> str:
    return f"{format_minor(plan.price_minor, plan.currency, is_grouped=True)} a {plan.get_interval_display().lower()}"


def price_effects(subject: WorkspaceSubject, plan: Plan | None) -> Sequence[ChangeGroup]:
    """The price before and after another plan, and who is not told."""
    held = subject.subscription
    if held is None or plan is None or plan.pk == held.plan_id:
        return ()
    change = Change(_difference(held.plan, plan), price_of(held.plan), price_of(plan))
    return [ChangeGroup("Price", [change], _said(held.provider, held.provider_subscription_id, "change_plan"))]


def effects_of(verb: str) -> Callable[[WorkspaceSubject, WorkspaceForm], Sequence[ChangeGroup]]:
    """What the verb means for money: the price of the plan that the form chooses, and that no provider is told."""

    def effects(subject: WorkspaceSubject, form: WorkspaceForm) -> Sequence[ChangeGroup]:
        chosen = form.plan_id_if_chosen if "plan" in form.fields else None
        plan = Plan.objects.get(pk=chosen) if chosen else None
        # A change that is only scheduled names its price when it is confirmed.
        is_now = verb != "record_pending_change"
        return (price_effects(subject, plan) if is_now else ()) or _money(subject, verb, form)

    return effects


def effects_of_pending(subject: WorkspaceSubject, form: WorkspaceForm) -> Sequence[ChangeGroup]:
    """The price of the plan that is scheduled, or what the scheduled end means."""
    plan = subject.pending.plan if subject.pending else None
    return price_effects(subject, plan) or _money(subject, "change_plan" if plan else "end", form)


def _money(subject: WorkspaceSubject, verb: str, form: WorkspaceForm) -> Sequence[ChangeGroup]:
    held, typed = subject.subscription, form.cleaned_data
    provider, key = (held.provider, held.provider_subscription_id) if held else ("", "")
    if verb == "hand_to_provider":
        provider, key = typed["provider"], typed["provider_subscription_id"]
    return [ChangeGroup("Money", (), _said(provider, key, "renew" if typed.get("value") == "no" else verb))]


def _said(provider: str, key: str, verb: str) -> str | SafeString:
    """That the provider is not told, what its subscription goes on doing, and the way there."""
    if not key:
        return "Nothing is sent to Stripe or Orb, and nothing is charged: this changes our record."
    label = Provider(provider).label
    mirrored = ProviderSubscription.objects.filter(provider=provider, external_id=key).first()
    is_over = mirrored is not None and is_idle(mirrored)
    goes_on = "is over there and charges nothing." if is_over else _GOES_ON[verb].format(provider=label)
    where = provider_link(provider, "subscription", key)
    return format_html("{} is not told: its subscription {} {}", label, goes_on, where)


def _difference(before: Plan, after: Plan) -> str:
    if (before.currency, before.interval) != (after.currency, after.interval):
        return "Price"
    more = after.price_minor - before.price_minor
    if not more:
        return "The same price"
    return f"{format_minor(abs(more), after.currency, is_grouped=True)} {'more' if more > 0 else 'less'}"


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
