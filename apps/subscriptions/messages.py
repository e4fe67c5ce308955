"""What the lifecycle lets tenants do on every billing page, and why, in their words (spec 08, Billing pages).

Decides nothing itself. The words follow the rules that the decision says it rests on. Free text that staff wrote as
their own reason is never shown here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleNeed, LifecycleState
from apps.core.ids import WorkspaceId
from apps.core.moments import in_zone, write_day, zone_of
from apps.subscriptions.enums import PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.rules.lifecycle import (
    Allowance,
    LifecycleDecision,
    LifecycleFacts,
    is_sold_to_others,
    resolve,
)
from apps.subscriptions.selectors.lifecycle import workspace_facts
from apps.tenants.closing_rules import reopens_until
from apps.tenants.pages import Banner, BannerTone, LifecycleAccess


@dataclass(frozen=True, slots=True)
class StateWords:
    """What a lifecycle state is called, what one says of a workspace that is in it, and what it means."""

    label: str
    title: str
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a state holds, and what helps; without an own remedy the state's counts."""

    why: str
    remedy: str = ""
    is_about_payment: bool = False


@dataclass(frozen=True, slots=True)
class DecisionWords:
    """A decision in words. `why` has one sentence for each rule that it rests on."""

    state: StateWords
    why: tuple[str, ...]
    remedy: str
    is_about_payment: bool = False


_PAY = "Pay the open invoice or update the payment method. Full service returns as soon as the payment arrives."
_ASK = "Contact our billing team: they set this and can lift it."
_REOPEN = "To reopen it, an owner contacts our billing team"
_TOO_LATE = "It can't be reopened any more. To start again, ask our billing team for a new organization."
_START = "Choose a plan to start again; our billing team sets it up with you. None of your data was removed."

STATE_WORDS: Mapping[LifecycleState, StateWords] = {
    LifecycleState.PRE_SUBSCRIPTION: StateWords(
        "Not subscribed yet",
        "This workspace has no subscription yet",
        "You can look around, invite people and set up connectors. Only granted credits can be used, and syncs wait.",
        "Choose a plan to switch everything on; our billing team sets it up with you.",
    ),
    LifecycleState.TRIAL: StateWords(
        "Trial",
        "This workspace is on trial",
        "Everything works.",
        "Nothing to do now. Choose a plan before the trial ends to keep full service.",
    ),
    LifecycleState.ACTIVE: StateWords("Active", "This workspace is active", "Everything works.", "Nothing to do."),
    LifecycleState.GRACE: StateWords(
        "Grace period",
        "A payment is overdue",
        "Everything works for now, but connectors can't be added or edited.",
        _PAY,
    ),
    LifecycleState.SUSPENDED_READ_ONLY: StateWords(
        "Read-only",
        "This workspace is read-only",
        "Everything can be read and exported. Credits, connectors, syncs and invitations are switched off.",
        _ASK,
    ),
    LifecycleState.CLOSED: StateWords(
        "Closed",
        "This organization is closed",
        "Its owners can still read and export everything. Nothing else works.",
        f"{_REOPEN}.",
    ),
}

_PAYMENT_BLOCKS: Mapping[str, Cause] = {
    PaymentStatus.DISABLED: Cause("A payment was not made in time.", _PAY, is_about_payment=True),
    PaymentStatus.LOCKED: Cause(
        "An invoice stayed unpaid and the account is locked.",
        "Pay the invoice, then contact our billing team: they unlock the account.",
        is_about_payment=True,
    ),
}
_SUBSCRIPTIONS: Mapping[str, Cause] = {
    SubscriptionState.TRIALING: Cause("The subscription is a trial."),
    SubscriptionState.ACTIVE: Cause("The subscription is active."),
    SubscriptionState.PAST_DUE: Cause("The subscription's last payment is past due.", _PAY, is_about_payment=True),
    SubscriptionState.SUSPENDED: Cause("The subscription is suspended.", "Contact our billing team to resume it."),
    SubscriptionState.ENDED: Cause("The subscription has ended.", _START),
}
_SUBSCRIPTION_STATUSES: Mapping[str, Cause] = {
    SubscriptionStatus.PRE_SUBSCRIPTION: Cause("Your organization has not subscribed yet."),
    SubscriptionStatus.SUBSCRIBED: Cause("Your organization is subscribed."),
    SubscriptionStatus.UNSUBSCRIBED: Cause("Your organization's subscription has ended.", _START),
}
_SOLD_TO_OTHERS = Cause("Your organization has subscribed for other workspaces, not for this one.")
NEED_WORDS: Mapping[LifecycleNeed, str] = {
    LifecycleNeed.READ: "Read and export",
    LifecycleNeed.CONSUME: "Use credits",
    LifecycleNeed.EDIT_CONNECTORS: "Add and edit connectors",
    LifecycleNeed.REPLACE_CREDENTIAL: "Replace keys and authorize again",
    LifecycleNeed.SYNC: "Sync",
    LifecycleNeed.INVITE: "Invite members",
}
ALLOWANCE_WORDS: Mapping[Allowance, str] = {
    Allowance.YES: "yes",
    Allowance.WITH_WARNING: "yes, with a warning",
    Allowance.FROM_GRANTS_ONLY: "from grants only",
    Allowance.OWNER_ONLY: "owners only",
    Allowance.NO: "not now",
}


def words_of(facts: LifecycleFacts, decision: LifecycleDecision, *, zone: tzinfo) -> DecisionWords:
    """The decision in words; days are those of `zone`."""
    state = STATE_WORDS[decision.state]
    causes = [_CAUSES[step.rule](facts, zone) for step in decision.reasons]
    # The last reason is the one that brought the workspace to where it is.
    helpful = next((cause for cause in reversed(causes) if cause.remedy), Cause("", state.remedy))
    return DecisionWords(state, tuple(cause.why for cause in causes), helpful.remedy, helpful.is_about_payment)


# A state that restricts nothing needs no banner.
_TONES: Mapping[LifecycleState, BannerTone] = {
    LifecycleState.PRE_SUBSCRIPTION: BannerTone.NOTE,
    LifecycleState.GRACE: BannerTone.WARNING,
    LifecycleState.SUSPENDED_READ_ONLY: BannerTone.STOP,
    LifecycleState.CLOSED: BannerTone.STOP,
}


def banner_of(facts: LifecycleFacts, decision: LifecycleDecision, *, zone: tzinfo) -> Banner | None:
    """The banner of the decision; None where everything works."""
    tone = _TONES.get(decision.state)
    if tone is None:
        return None
    words = words_of(facts, decision, zone=zone)
    # The last reason is the one that restricts; the Settings page lists them all.
    return Banner(tone, words.state.title, words.why[-1], words.remedy, words.is_about_payment)


def workspace_lifecycle_access(context: ExecutionContext, *, time_zone: str) -> LifecycleAccess:
    """What the context's role may do in its workspace now, and the banner that says why not more.

    Nothing is allowed where the context names no workspace. Raises `NotFoundError` for an unknown one.
    """
    if context.workspace_id is None:
        return LifecycleAccess(allowed=frozenset())
    facts = workspace_facts(WorkspaceId(context.workspace_id))
    decision = resolve(facts)
    allowed = frozenset(need for need in LifecycleNeed if decision.permits(need, role=context.role))
    return LifecycleAccess(allowed=allowed, banner=banner_of(facts, decision, zone=zone_of(time_zone)))


def day(moment: datetime, zone: tzinfo) -> str:
    """The day of the moment in the zone: "3 April 2026"."""
    return write_day(moment, zone)


def days_from(now: datetime, moment: datetime, zone: tzinfo) -> str:
    """How many days of the calendar lie between: "today", "tomorrow", "in 3 days", "yesterday", "3 days ago"."""
    days = (in_zone(moment, zone).date() - in_zone(now, zone).date()).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    return near.get(days) or (f"in {days} days" if days > 0 else f"{-days} days ago")


def _explain_closed(facts: LifecycleFacts, zone: tzinfo) -> Cause:
    closed_at = facts.organization_closed_at
    if closed_at is None:
        return Cause("Your organization was closed.")
    why, until = f"Your organization was closed on {day(closed_at, zone)}.", reopens_until(closed_at)
    if facts.at < until:
        return Cause(f"{why} Its owners can still read and export everything.", f"{_REOPEN} before {day(until, zone)}.")
    return Cause(f"{why} Its owners can still read and export everything.", _TOO_LATE)


def _payment_blocks(facts: LifecycleFacts, zone: tzinfo) -> Cause:
    return _of(_PAYMENT_BLOCKS, facts.payment_status)


def _subscription(facts: LifecycleFacts, zone: tzinfo) -> Cause:
    record = facts.subscription
    return _of(_SUBSCRIPTIONS, record.state if record else None)


def _overlay(facts: LifecycleFacts, zone: tzinfo) -> Cause:
    return Cause("Our billing team has set this by hand.")


def _subscription_status(facts: LifecycleFacts, zone: tzinfo) -> Cause:
    return _SOLD_TO_OTHERS if is_sold_to_others(facts) else _of(_SUBSCRIPTION_STATUSES, facts.subscription_status)


def _grace(facts: LifecycleFacts, zone: tzinfo) -> Cause:
    end = facts.grace_period_end_at
    until = f" It ends on {day(end, zone)}, {days_from(facts.at, end, zone)}." if end else ""
    if end and end < facts.at:
        until = f" It ended on {day(end, zone)}; service may stop at any moment."
    return Cause(f"A payment failed, and a grace period began.{until}", _PAY, is_about_payment=True)


def _of(causes: Mapping[str, Cause], value: str | None) -> Cause:
    # A status that is new here still gets the words of the state.
    return causes.get(value or "", Cause("This follows from your current status."))


_CAUSES: Mapping[str, Callable[[LifecycleFacts, tzinfo], Cause]] = {
    "organization_closed": _explain_closed,
    "payment_blocks": _payment_blocks,
    "subscription": _subscription,
    "manual_overlay": _overlay,
    "subscription_status": _subscription_status,
    "grace_period": _grace,
}
