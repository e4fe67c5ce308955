"""Forms of the workspace page's verbs: typed fields, and what stands in them at first. Moments are in UTC."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
)

from apps.backoffice.form_fields import choice_field, moment_field, text_field
from apps.backoffice.verbs import ReasonForm
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_now
from apps.core.amounts import format_minor
from apps.core.enums import LifecycleState
from apps.core.errors import CountinghouseError
from apps.core.moments import after
from apps.payments.status_sync import describe_invoice, open_invoices
from apps.subscriptions.contracts import Period
from apps.subscriptions.enums import (
    PendingChangeKind,
    Provider,
    UsageCategoryOverride,
)
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.subscriptions.rules.payment_transitions import (
    DEFAULT_GRACE_DAYS,
    SUBSCRIPTION_STATUS_MAY_BECOME,
)

_TRIAL = timedelta(days=14)
_WEEK = timedelta(days=7)
_MOST_INVOICES = 100


class WorkspaceForm(ReasonForm):
    """The form of one verb on one workspace; `version` is that of the subscription that was seen at its opening."""

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput())

    def __init__(self, data: Any = None, *, record: WorkspaceSubject, **options: Any) -> None:
        self.subject = record
        super().__init__(data, record=record, **options)
        self.fields["version"].initial = record.subscription_version

    def renew(self, error: CountinghouseError) -> None:
        """Take the version as it is now for seen: the refusal beside the form tells what changed."""
        self.replace_data("version", subject_now(self.subject.workspace).subscription_version)

    @property
    def seen_version(self) -> int | None:
        version: int | None = self.cleaned_data["version"]
        return version

    def offer_plans(self, *, empty: str = "Choose a plan", without: UUID | None = None) -> None:
        """The active plans with their prices, none of them chosen at first; `empty` is what choosing none means."""
        plans = [
            (str(plan.pk), f"{plan.name} · {format_minor(plan.price_minor, plan.currency)} a {plan.interval}")
            for plan in Plan.objects.filter(is_active=True).order_by("price_minor", "slug")
            if plan.pk != without
        ]
        field = self.fields["plan"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", empty), *plans]

    @property
    def plan_id(self) -> PlanId:
        """The plan that was chosen, in a form that requires one."""
        return PlanId(UUID(self.cleaned_data["plan"]))

    @property
    def plan_id_if_chosen(self) -> PlanId | None:
        return self.plan_id if self.cleaned_data["plan"] else None


class PeriodForm(WorkspaceForm):
    """A period has both ends or none."""

    period_start = moment_field("Period starts", required=False)
    period_end = moment_field("Period ends", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        start, end = cleaned.get("period_start"), cleaned.get("period_end")
        if bool(start) != bool(end):
            self.add_error("period_end" if start else "period_start", "A period has a start and an end; give both.")
        return cleaned

    @property
    def period(self) -> Period | None:
        start, end = self.cleaned_data["period_start"], self.cleaned_data["period_end"]
        return Period(start, end) if start and end else None


class StartTrialForm(WorkspaceForm):
    plan = choice_field("Plan")
    trial_ends_at = moment_field("Trial ends", hint="Nothing ends by itself: the page then asks for a review.")

    def prepare(self) -> None:
        self.offer_plans()
        self.fields["trial_ends_at"].initial = self.subject.facts.at + _TRIAL


class ActivateForm(PeriodForm):
    plan = choice_field("Plan", required=False)
    field_order = ("plan", "period_start", "period_end", "reason")

    def prepare(self) -> None:
        held = self.subject.subscription
        self.offer_plans(empty=f"Keep {held.plan.name}" if held else "Choose a plan")
        self.fields["plan"].required = held is None


class ChangePlanForm(WorkspaceForm):
    plan = choice_field("New plan")

    def prepare(self) -> None:
        held = self.subject.subscription
        self.offer_plans(without=held.plan_id if held else None)


class CancelForm(WorkspaceForm):
    value = choice_field(
        "After this period",
        (("yes", "Do not renew"), ("no", "Renew")),
        hint="A note for people and providers. No timer ends the subscription.",
    )

    def prepare(self) -> None:
        held = self.subject.subscription
        self.fields["value"].initial = "no" if held and held.cancel_at_period_end else "yes"


class UpdatePeriodForm(PeriodForm):
    trial_ends_at = moment_field("Trial ends", required=False, hint="Leave empty to keep the date.")

    def prepare(self) -> None:
        held = self.subject.subscription
        for name in ("period_start", "period_end"):
            self.fields[name].required = True
            self.fields[name].initial = getattr(held, f"current_{name}", None)
        self.fields["trial_ends_at"].initial = held.trial_ends_at if held else None

    @property
    def required_period(self) -> Period:
        return Period(self.cleaned_data["period_start"], self.cleaned_data["period_end"])


class HandToProviderForm(WorkspaceForm):
    provider = choice_field("Provider", Provider.choices)
    provider_subscription_id = text_field(
        "Subscription at the provider",
        required=False,
        placeholder="sub_…",
        hint="Leave empty to keep the stored one. From then on the provider's updates change this record.",
    )

    def prepare(self) -> None:
        held = self.subject.subscription
        if held and held.provider:
            self.fields["provider"].initial = held.provider
            self.fields["provider_subscription_id"].initial = held.provider_subscription_id


class StartGraceForm(WorkspaceForm):
    started_at = moment_field("Payment failed", hint="The grace period runs from then.")

    def prepare(self) -> None:
        self.fields["started_at"].initial = self.subject.facts.at


class ExtendGraceForm(WorkspaceForm):
    until = moment_field("New end of the grace period")

    def prepare(self) -> None:
        end = self.subject.facts.grace_period_end_at
        self.fields["until"].initial = after(end, _WEEK) if end else None


class ForgiveForm(WorkspaceForm):
    invoice = choice_field("Invoice", hint="Void it at the provider too: nothing is sent there.")

    def prepare(self) -> None:
        field = self.fields["invoice"]
        if isinstance(field, forms.ChoiceField):
            rows = open_invoices(self.subject.organization_id)[:_MOST_INVOICES]
            field.choices = [(str(row.pk), describe_invoice(row)) for row in rows]


class SubscriptionStatusForm(WorkspaceForm):
    status = choice_field("Subscription status", hint="Counts where a workspace has neither record nor overlay.")

    def prepare(self) -> None:
        field = self.fields["status"]
        if isinstance(field, forms.ChoiceField):
            possible = SUBSCRIPTION_STATUS_MAY_BECOME.get(self.subject.facts.subscription_status, frozenset())
            field.choices = [(status.value, status.label) for status in sorted(possible)]


class UsageOverrideForm(WorkspaceForm):
    category = choice_field("Usage is billed", [("", "As it is used"), *UsageCategoryOverride.choices], required=False)

    def prepare(self) -> None:
        config = self.subject.config
        self.fields["category"].initial = config.usage_category_override if config else ""

    @property
    def override(self) -> UsageCategoryOverride | None:
        category = self.cleaned_data["category"]
        return UsageCategoryOverride(category) if category else None


class GraceDaysForm(WorkspaceForm):
    days = forms.IntegerField(
        label="Days",
        required=False,
        min_value=1,
        help_text=f"For future grace periods. Leave empty for {DEFAULT_GRACE_DAYS} days.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def prepare(self) -> None:
        self.fields["days"].initial = self.subject.config.grace_period_days if self.subject.config else None


class ProviderCustomerForm(WorkspaceForm):
    provider = choice_field("Provider", Provider.choices)
    customer_id = text_field("Customer at the provider", placeholder="cus_…")


class OverlayForm(WorkspaceForm):
    state = choice_field("Lifecycle state", LifecycleState.choices)


class ScheduleForm(WorkspaceForm):
    kind = choice_field("What", PendingChangeKind.choices)
    plan = choice_field("To which plan", required=False, hint="For a change of plan.")
    due_at = moment_field("When", hint="On that day it is flagged, and someone must confirm it.")

    def prepare(self) -> None:
        self.offer_plans(empty="—")
        held = self.subject.subscription
        self.fields["due_at"].initial = held.current_period_end if held else None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        is_switch = cleaned.get("kind") == PendingChangeKind.CHANGE_PLAN.value
        if is_switch != bool(cleaned.get("plan")):
            self.add_error("plan", "Choose a plan to change to." if is_switch else "An end needs no plan.")
        return cleaned


class NoteForm(WorkspaceForm):
    """The note stands in the place of the reason."""

    reason = forms.CharField(
        label="Note",
        max_length=5000,
        help_text="Signed with your name and dated. Notes can't be edited. Add another to correct one.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "autofocus": True}),
    )
