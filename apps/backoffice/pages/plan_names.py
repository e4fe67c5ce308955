"""A plan's names at Stripe and Orb: which of their prices and products it is (spec 04)."""

from __future__ import annotations

from uuid import UUID

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.backoffice.cells import badge, code, moment
from apps.backoffice.panels import Panel, panel_of
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.payments.enums import PlanReferenceKind
from apps.payments.models import PlanReference
from apps.payments.services import plan_reference_add, plan_reference_remove
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import Plan
from apps.subscriptions.services.plans import PLAN_OPERATION


class PlanNameForm(ReasonForm):
    """One name at a provider."""

    provider = forms.ChoiceField(choices=Provider.choices, widget=UnfoldAdminSelectWidget())
    kind = forms.ChoiceField(
        choices=PlanReferenceKind.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text="Where several fit, the price counts before the lookup key, and that before the product.",
    )
    value = forms.CharField(
        label="Name there",
        max_length=255,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "price_1QzL4x"}),
        help_text="As the provider shows it.",
    )


class PlanUnnameForm(ReasonForm):
    """Which of the plan's names goes."""

    reference = forms.ChoiceField(label="Name", widget=UnfoldAdminSelectWidget())

    def prepare(self) -> None:
        rows = _names(self.record) if self.record is not None else []
        choices = [(str(row.pk), f"{row.get_provider_display()}: {row}") for row in rows]
        self.fields["reference"].choices = choices  # type: ignore[attr-defined] # it is the choice field above


def _names(plan: Plan) -> list[PlanReference]:
    return list(PlanReference.objects.filter(plan=plan).order_by("provider", "kind", "value"))


def _name(context: ExecutionContext, plan: Plan, form: PlanNameForm) -> str:
    typed = form.cleaned_data
    reference = plan_reference_add(
        context,
        plan_id=plan.pk,
        provider=Provider(typed["provider"]),
        kind=PlanReferenceKind(typed["kind"]),
        value=typed["value"],
        reason=typed["reason"],
    )
    return f"{reference} is {plan.name} from now on. Process the events that wait for it on Events to decide."


def _unname(context: ExecutionContext, plan: Plan, form: PlanUnnameForm) -> str:
    plan_reference_remove(
        context,
        plan_id=plan.pk,
        reference_id=UUID(form.cleaned_data["reference"]),
        reason=form.cleaned_data["reason"],
    )
    return f"{plan.name} does not go by that name any more."


def _unname_refusal(plan: Plan) -> str:
    return "" if PlanReference.objects.filter(plan=plan).exists() else "The plan has no names but its slug."


def names_panel(plan: Plan) -> Panel:
    """What the plan is called at the providers."""
    return panel_of(
        "Names at the providers",
        ("Provider", "Kind", "Name", "Since", "Source"),
        PlanReference.objects.filter(plan=plan).order_by("provider", "kind", "value"),
        lambda row: (
            row.get_provider_display(),
            row.get_kind_display(),
            code(row.value),
            moment(row.created_at),
            badge("Recognised", "neutral") if row.is_remembered else badge("Named by staff", "info"),
        ),
        empty=f"None. A price with the lookup key {plan.slug} is this plan.",
        icon="sell",
    )


PLAN_NAME_VERBS = (
    Verb(
        name="name_at_provider",
        label="Name at a provider",
        description="Says which price or product of Stripe or Orb is this plan. It counts for news from now on.",
        submit="Save the name",
        operation=PLAN_OPERATION,
        icon="add_link",
        form_class=PlanNameForm,
        run=_name,
    ),
    Verb(
        name="remove_name",
        label="Remove a name",
        description="News with this name is no longer this plan's. Subscriptions stay as they are.",
        submit="Remove",
        operation=PLAN_OPERATION,
        icon="link_off",
        form_class=PlanUnnameForm,
        refusal=_unname_refusal,
        run=_unname,
        is_rare=True,
    ),
)
