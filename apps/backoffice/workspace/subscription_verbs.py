"""Verbs of the subscription, one for each row of the table of transitions (spec 03)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from apps.backoffice.form_fields import choice_field, moment_field, text_field
from apps.backoffice.workspace.forms import PlanMixin, VerbForm, period_of, require_whole_period
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.backoffice.workspace.verbs import Refusal, Run, Verb
from apps.core.context import ExecutionContext
from apps.subscriptions.contracts import (
    Activate,
    ChangePlan,
    End,
    HandToProvider,
    MarkPastDue,
    Period,
    Resume,
    SetCancelAtPeriodEnd,
    StartTrial,
    SubscriptionChange,
    Suspend,
    TakeOver,
    UpdatePeriod,
)
from apps.subscriptions.enums import ManagedBy, Provider
from apps.subscriptions.ids import PlanId
from apps.subscriptions.rules.transitions import SUBSCRIPTION_TRANSITIONS, is_legal
from apps.subscriptions.services import subscription_change

SECTION = "subscription"
_TRIAL_DAYS = 14


class _PeriodForm(VerbForm):
    period_start = moment_field("Period starts", required=False)
    period_end = moment_field("Period ends", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        require_whole_period(self)
        return cleaned


class StartTrialForm(PlanMixin, VerbForm):
    """Which plan is tried, until when."""

    plan = choice_field("Plan")
    trial_ends_at = moment_field("Trial ends", hint="Nothing ends by itself: the page then asks for a review.")

    def prepare(self) -> None:
        self.offer_plans()
        self.fields["trial_ends_at"].initial = self.subject.facts.at + timedelta(days=_TRIAL_DAYS)


class ActivateForm(PlanMixin, _PeriodForm):
    """Which plan, for which period."""

    plan = choice_field("Plan", required=False)
    field_order = ("plan", "period_start", "period_end", "reason")

    def prepare(self) -> None:
        held = self.subject.subscription
        self.offer_plans(empty=f"Keep {held.plan.name}" if held else "")
        self.fields["plan"].required = held is None


class ChangePlanForm(PlanMixin, VerbForm):
    """Which plan from now on."""

    plan = choice_field("New plan")

    def prepare(self) -> None:
        self.offer_plans()


class CancelForm(VerbForm):
    """Whether it goes on after its period."""

    value = choice_field(
        "After this period",
        (("yes", "Cancelled: it is not to go on"), ("no", "It goes on")),
        hint="A note for people and providers. No timer ends the subscription.",
    )

    def prepare(self) -> None:
        held = self.subject.subscription
        self.fields["value"].initial = "no" if held and held.cancel_at_period_end else "yes"


class UpdatePeriodForm(_PeriodForm):
    """The dates as they should be."""

    trial_ends_at = moment_field("Trial ends", required=False, hint="Empty: as it is.")

    def prepare(self) -> None:
        held = self.subject.subscription
        for name in ("period_start", "period_end"):
            self.fields[name].required = True
            self.fields[name].initial = getattr(held, f"current_{name}", None)
        self.fields["trial_ends_at"].initial = held.trial_ends_at if held else None


class HandToProviderForm(VerbForm):
    """Which provider, and which of its subscriptions."""

    provider = choice_field("Provider", Provider.choices)
    provider_subscription_id = text_field(
        "Subscription at the provider",
        required=False,
        placeholder="sub_…",
        hint="Empty: the one that is stored. From then on the provider's news change this record.",
    )

    def prepare(self) -> None:
        held = self.subject.subscription
        if held and held.provider:
            self.fields["provider"].initial = held.provider
            self.fields["provider_subscription_id"].initial = held.provider_subscription_id


def _period(form: VerbForm) -> Period:
    # The form requires both ends.
    return Period(form.cleaned_data["period_start"], form.cleaned_data["period_end"])


def _plan(form: VerbForm) -> PlanId | None:
    return form.plan_id if isinstance(form, PlanMixin) else None


_CHANGES: Mapping[str, Callable[[VerbForm], SubscriptionChange]] = {
    "start_trial": lambda form: StartTrial(_chosen(form), form.cleaned_data["trial_ends_at"]),
    "activate": lambda form: Activate(_plan(form), period_of(form)),
    "change_plan": lambda form: ChangePlan(_chosen(form)),
    "mark_past_due": lambda form: MarkPastDue(),
    "suspend": lambda form: Suspend(),
    "resume": lambda form: Resume(),
    "end": lambda form: End(),
    "set_cancel_at_period_end": lambda form: SetCancelAtPeriodEnd(value=form.cleaned_data["value"] == "yes"),
    "update_period": lambda form: UpdatePeriod(_period(form), form.cleaned_data["trial_ends_at"]),
    "hand_to_provider": lambda form: HandToProvider(
        Provider(form.cleaned_data["provider"]), form.cleaned_data["provider_subscription_id"]
    ),
    "take_over": lambda form: TakeOver(),
}


def _chosen(form: VerbForm) -> PlanId:
    plan_id = _plan(form)
    if plan_id is None:
        raise AssertionError("the form requires a plan")
    return plan_id


def _run_of(name: str) -> Run:
    def run(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
        return subscription_change(
            context,
            workspace_id=subject.workspace_id,
            change=_CHANGES[name](form),
            reason=form.why,
            expected_version=form.seen_version,
        )

    return run


def state_in_words(subject: WorkspaceSubject) -> str:
    """Where the subscription stands, for a refusal."""
    return f"the subscription is {subject.state.label.lower()}" if subject.state else "there is no subscription record"


def _refusal_of(name: str) -> Refusal:
    def refusal(subject: WorkspaceSubject) -> str:
        if is_legal(name, subject.state):
            return ""
        return f"Not possible now: {state_in_words(subject)}."

    return refusal


def _take_over_refusal(subject: WorkspaceSubject) -> str:
    held = subject.subscription
    if held is not None and held.managed_by == ManagedBy.STAFF:
        return "Staff manage this subscription already."
    return _refusal_of("take_over")(subject)


def _verb(
    name: str,
    icon: str,
    description: str,
    done: str,
    *,
    form_class: type[VerbForm] = VerbForm,
    refusal: Refusal | None = None,
    is_dangerous: bool = False,
    is_rare: bool = False,
) -> Verb:
    row = SUBSCRIPTION_TRANSITIONS[name]
    return Verb(
        name=name,
        label=row.label,
        section=SECTION,
        operation=row.operation,
        icon=icon,
        description=description,
        form_class=form_class,
        refusal=refusal or _refusal_of(name),
        run=_run_of(name),
        done=done,
        is_dangerous=is_dangerous,
        is_rare=is_rare,
    )


SUBSCRIPTION_VERBS = (
    _verb(
        "start_trial",
        "hourglass_top",
        "A new start: everything works until somebody decides otherwise.",
        "The trial has started.",
        form_class=StartTrialForm,
    ),
    _verb(
        "activate",
        "play_circle",
        "From now on the workspace is a paid one.",
        "The subscription is active.",
        form_class=ActivateForm,
    ),
    _verb("resume", "resume", "Back to active: everything works again.", "The subscription is active again."),
    _verb(
        "change_plan",
        "swap_horiz",
        "At once. To do it on a later day, schedule the change.",
        "The plan is changed.",
        form_class=ChangePlanForm,
    ),
    _verb(
        "mark_past_due",
        "schedule",
        "A payment is late: service goes on with a warning.",
        "The subscription is marked past due.",
    ),
    _verb(
        "suspend",
        "pause_circle",
        "Read-only until somebody resumes it.",
        "The subscription is suspended.",
        is_dangerous=True,
    ),
    _verb(
        "end", "cancel", "Now. A new start is possible afterwards.", "The subscription has ended.", is_dangerous=True
    ),
    _verb(
        "set_cancel_at_period_end",
        "event_busy",
        "Whether the subscription is to go on after its period.",
        "It is noted.",
        form_class=CancelForm,
        is_rare=True,
    ),
    _verb(
        "update_period",
        "date_range",
        "The dates as the provider, or a corrected contract, says them.",
        "The dates are updated.",
        form_class=UpdatePeriodForm,
        is_rare=True,
    ),
    _verb(
        "hand_to_provider",
        "handshake",
        "The provider's news then change this record; until then they are only kept as evidence.",
        "The provider manages the subscription.",
        form_class=HandToProviderForm,
        is_rare=True,
    ),
    _verb(
        "take_over",
        "front_hand",
        "Staff decide; what the provider says is kept as evidence and shown as a difference.",
        "Staff manage the subscription.",
        refusal=_take_over_refusal,
        is_rare=True,
    ),
)
