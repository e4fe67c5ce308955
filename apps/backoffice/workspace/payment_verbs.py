"""Verbs of the organization's payment config that staff have, one for each row of spec 04's table that names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from apps.backoffice.form_fields import choice_field, moment_field, text_field
from apps.backoffice.workspace.forms import VerbForm
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.backoffice.workspace.verbs import Refusal, Run, Verb
from apps.core.context import ExecutionContext
from apps.core.moments import after
from apps.subscriptions.contracts import (
    EndGrace,
    ExtendGrace,
    LeaveManual,
    Lock,
    PaymentConfigChange,
    SetGraceDays,
    SetManual,
    SetProviderCustomer,
    SetSubscriptionStatus,
    SetUsageOverride,
    StartGrace,
    Unlock,
)
from apps.subscriptions.enums import PaymentStatus, Provider, SubscriptionStatus, UsageCategoryOverride
from apps.subscriptions.rules.payment_transitions import (
    DEFAULT_GRACE_DAYS,
    FROM_MANUAL,
    PAYMENT_TRANSITIONS,
    SUBSCRIPTION_STATUS_MAY_BECOME,
    is_legal,
)
from apps.subscriptions.services import payment_config_change

SECTION = "payments"
_WEEK = timedelta(days=7)


class StartGraceForm(VerbForm):
    """When the payment failed."""

    started_at = moment_field("Payment failed", hint="The grace period runs from then.")

    def prepare(self) -> None:
        self.fields["started_at"].initial = self.subject.facts.at


class ExtendGraceForm(VerbForm):
    """Until when."""

    until = moment_field("New end of the grace period")

    def prepare(self) -> None:
        end = self.subject.facts.grace_period_end_at
        self.fields["until"].initial = after(end, _WEEK) if end else None


class LeaveManualForm(VerbForm):
    """Where the rules take over."""

    status = choice_field(
        "Payment status", [(status.value, status.label) for status in PaymentStatus if status in FROM_MANUAL]
    )


class SubscriptionStatusForm(VerbForm):
    """What the organization is from now on."""

    status = choice_field("Subscription status", hint="Counts where a workspace has neither record nor overlay.")

    def prepare(self) -> None:
        field = self.fields["status"]
        if isinstance(field, forms.ChoiceField):
            possible = SUBSCRIPTION_STATUS_MAY_BECOME.get(self.subject.facts.subscription_status, frozenset())
            field.choices = [(status.value, status.label) for status in sorted(possible)]


class UsageOverrideForm(VerbForm):
    """How usage is billed."""

    category = choice_field("Usage is billed", [("", "As it is used"), *UsageCategoryOverride.choices], required=False)

    def prepare(self) -> None:
        config = self.subject.config
        self.fields["category"].initial = config.usage_category_override if config else ""


class GraceDaysForm(VerbForm):
    """How long coming grace periods are."""

    days = forms.IntegerField(
        label="Days",
        required=False,
        min_value=1,
        help_text=f"Of coming grace periods. Empty: {DEFAULT_GRACE_DAYS} days.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def prepare(self) -> None:
        self.fields["days"].initial = self.subject.config.grace_period_days if self.subject.config else None


class ProviderCustomerForm(VerbForm):
    """Which of the provider's customers stands for the organization."""

    provider = choice_field("Provider", Provider.choices)
    customer_id = text_field("Customer at the provider", placeholder="cus_…")


_CHANGES: Mapping[str, Callable[[VerbForm], PaymentConfigChange]] = {
    "start_grace": lambda form: StartGrace(form.cleaned_data["started_at"]),
    "extend_grace": lambda form: ExtendGrace(form.cleaned_data["until"]),
    "end_grace": lambda form: EndGrace(),
    "lock": lambda form: Lock(),
    "unlock": lambda form: Unlock(),
    "set_manual": lambda form: SetManual(),
    "leave_manual": lambda form: LeaveManual(PaymentStatus(form.cleaned_data["status"])),
    "set_subscription_status": lambda form: SetSubscriptionStatus(SubscriptionStatus(form.cleaned_data["status"])),
    "set_usage_override": lambda form: SetUsageOverride(
        UsageCategoryOverride(form.cleaned_data["category"]) if form.cleaned_data["category"] else None
    ),
    "set_grace_days": lambda form: SetGraceDays(form.cleaned_data["days"]),
    "set_provider_customer": lambda form: SetProviderCustomer(
        Provider(form.cleaned_data["provider"]), form.cleaned_data["customer_id"]
    ),
}


def _run_of(name: str) -> Run:
    def run(context: ExecutionContext, subject: WorkspaceSubject, form: VerbForm) -> object:
        return payment_config_change(
            context, organization_id=subject.organization_id, change=_CHANGES[name](form), reason=form.why
        )

    return run


def _refusal_of(name: str) -> Refusal:
    def refusal(subject: WorkspaceSubject) -> str:
        if is_legal(name, subject.status):
            return ""
        return f"Not possible now: the payment status is {subject.status.label.lower()}."

    return refusal


def _verb(
    name: str,
    icon: str,
    description: str,
    done: str,
    *,
    form_class: type[VerbForm] = VerbForm,
    is_dangerous: bool = False,
    is_rare: bool = False,
) -> Verb:
    row = PAYMENT_TRANSITIONS[name]
    return Verb(
        name=name,
        label=row.label,
        section=SECTION,
        operation=row.operation,
        icon=icon,
        description=f"{description} Holds for every workspace of the organization.",
        form_class=form_class,
        refusal=_refusal_of(name),
        run=_run_of(name),
        done=done,
        is_dangerous=is_dangerous,
        is_rare=is_rare,
    )


PAYMENT_VERBS = (
    _verb(
        "start_grace",
        "timer",
        "A payment failed: service goes on for a while, with a warning.",
        "The grace period runs.",
        form_class=StartGraceForm,
    ),
    _verb(
        "extend_grace",
        "more_time",
        "A later end of the running grace period.",
        "The grace period is longer.",
        form_class=ExtendGraceForm,
    ),
    _verb("end_grace", "timer_off", "Now: service stops.", "The grace period is over.", is_dangerous=True),
    _verb("unlock", "lock_open", "Payments are in order again.", "The organization is unlocked."),
    _verb("lock", "lock", "Read-only until staff unlock it.", "The organization is locked.", is_dangerous=True),
    _verb(
        "set_manual",
        "back_hand",
        "Staff decide; what a provider says about payments is kept as evidence.",
        "The payment status is manual.",
    ),
    _verb(
        "leave_manual",
        "undo",
        "Payments follow the providers' news again.",
        "The payment status follows the rules again.",
        form_class=LeaveManualForm,
    ),
    _verb(
        "set_usage_override",
        "sell",
        "Under which category all usage is billed; it never widens what is allowed.",
        "Usage is billed as you said.",
        form_class=UsageOverrideForm,
        is_rare=True,
    ),
    _verb(
        "set_subscription_status",
        "how_to_reg",
        "Whether the organization has subscribed at all.",
        "The subscription status is set.",
        form_class=SubscriptionStatusForm,
        is_rare=True,
    ),
    _verb(
        "set_grace_days",
        "edit_calendar",
        "How long coming grace periods are.",
        "The length of grace periods is set.",
        form_class=GraceDaysForm,
        is_rare=True,
    ),
    _verb(
        "set_provider_customer",
        "badge",
        "Binds a provider's customer to the organization.",
        "The provider's customer is bound.",
        form_class=ProviderCustomerForm,
        is_rare=True,
    ),
)
