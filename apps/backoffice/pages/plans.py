"""Plans. Platform admins create and change them, with a reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import display
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from apps.backoffice.cells import badge, code, list_url, moment, number, title_and_slug
from apps.backoffice.filters import choice_filter, flag_filter
from apps.backoffice.form_fields import AmountField
from apps.backoffice.pages.lookups import count_of
from apps.backoffice.pages.plan_names import PLAN_NAME_VERBS, names_panel
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff import may, require_may
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import Change, ChangeGroup, Preview, ReasonForm, Verb, run_verb
from apps.backoffice.workspace.told import price_of
from apps.core.amounts import (
    PLACES,
    MalformedNumberError,
    NumberOutOfRangeError,
    format_micro,
    format_minor_number,
    minor_digits,
    parse_amount,
)
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, UnprocessableError
from apps.credits.services.allowances import describe_allowance
from apps.subscriptions.enums import CreditCadence, PlanInterval, SubscriptionState
from apps.subscriptions.models import Plan, WorkspaceSubscription
from apps.subscriptions.rules.transitions import is_over
from apps.subscriptions.services import PlanParams, plan_upsert
from apps.subscriptions.services.plans import PLAN_OPERATION


class PlanForm(ReasonForm):
    """A plan's fields. The price is entered in whole units, such as 49.00."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    price = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "placeholder": "49.00"}),
        help_text="Price for one interval, such as 49.00.",
    )
    currency = forms.CharField(
        max_length=3, initial="EUR", widget=UnfoldAdminTextInputWidget(), help_text="ISO 4217, such as EUR."
    )
    interval = forms.ChoiceField(choices=PlanInterval.choices, widget=UnfoldAdminSelectWidget())
    is_active = forms.BooleanField(
        label="Can be chosen",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget(),
        help_text="If off, workspaces on this plan keep it, but nobody new can choose it.",
    )

    credit_allowance = AmountField(
        label="Credits", required=False, help_text="Granted at each start. Leave empty if the plan gives none."
    )
    credit_cadence = forms.ChoiceField(
        label="Credits come each",
        choices=[("", "Never"), *CreditCadence.choices],
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text="A calendar month is the organization's; a billing period is the provider's.",
    )
    credit_expires_after_days = forms.IntegerField(
        label="Credits expire after days",
        required=False,
        min_value=1,
        max_value=3_650,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "number", "min": 1}),
        help_text="Leave empty: unused credits end when the next ones come.",
    )
    credit_rollover_cap = AmountField(
        label="Carried over at most", required=False, help_text="Of credits that end unused. Leave empty for nothing."
    )

    def wish(self) -> PlanParams:
        """The cleaned values; raises `UnprocessableError` for an invalid price."""
        typed = self.cleaned_data
        currency = typed["currency"].upper()
        return PlanParams(
            name=typed["name"],
            price_minor=minor_units(typed["price"], currency),
            currency=currency,
            interval=PlanInterval(typed["interval"]),
            is_active=typed["is_active"],
            credit_allowance=typed["credit_allowance"],
            credit_cadence=typed["credit_cadence"],
            credit_expires_after_days=typed["credit_expires_after_days"],
            credit_rollover_cap=typed["credit_rollover_cap"],
        )


class NewPlanForm(PlanForm):
    """A plan's fields with the slug, which only a new plan can choose."""

    slug = forms.SlugField(
        max_length=80, widget=UnfoldAdminTextInputWidget(), help_text="Used by the API. You can't change it later."
    )
    field_order = (
        *("name", "slug", "price", "currency", "interval", "is_active"),
        *("credit_allowance", "credit_cadence", "credit_expires_after_days", "credit_rollover_cap", "reason"),
    )


def minor_units(text: str, currency: str) -> int:
    """Convert a price to the currency's minor unit, or raise `UnprocessableError` if it is not valid."""
    try:
        digits = minor_digits(currency)
        micro: int = parse_amount(text.strip())
    except (MalformedNumberError, NumberOutOfRangeError) as error:
        raise UnprocessableError(str(error)) from error
    scale: int = 10 ** (PLACES - digits)
    units, rest = divmod(micro, scale)
    if rest:
        raise UnprocessableError(f"{currency} has {digits} digits behind the dot.")
    return units


def _amount(value: int | None) -> str:
    return format_micro(value) if value is not None else ""


def _whole_units(plan: Plan) -> str:
    return format_minor_number(plan.price_minor, plan.currency)


def _change_plan(context: ExecutionContext, plan: Plan, form: PlanForm) -> str:
    changed = plan_upsert(context, slug=plan.slug, params=form.wish(), reason=form.cleaned_data["reason"])
    return f"The plan {changed.name} costs {price_of(changed)} now."


def _effect_of_change(plan: Plan, form: PlanForm) -> Preview:
    """What the plan says before and after, and how many subscriptions have it."""
    wish = form.wish()
    after = Plan(
        name=wish.name, price_minor=wish.price_minor, currency=wish.currency, interval=wish.interval,
        is_active=wish.is_active,
    )  # fmt: skip
    changes = [
        Change("Name", plan.name, after.name),
        Change("Price", price_of(plan), price_of(after)),
        Change("Can be chosen", _yes(plan.is_active), _yes(after.is_active)),
        Change("Credits", _credits(plan.credit_allowance), _credits(wish.credit_allowance)),
    ]
    counted = WorkspaceSubscription.objects.filter(plan=plan).values_list("state").annotate(count=Count("pk"))
    states = {SubscriptionState(state): count for state, count in counted.order_by()}
    over = sum(count for state, count in states.items() if is_over(state))
    running = sum(states.values()) - over
    lines = [f"{_subscriptions(running)} running on this plan and {_subscriptions(over)} that ended."]
    if price_of(plan) != price_of(after):
        lines.append(
            "Nothing is sent to Stripe or Orb: what they charge stays as it is until the price is changed there too."
        )
    return Preview([ChangeGroup("The plan", changes)], lines=lines)


def _subscriptions(count: int) -> str:
    return f"{count:,} subscription{'' if count == 1 else 's'}"


def _yes(value: bool) -> str:
    return "Yes" if value else "No"


def _credits(amount: int | None) -> str:
    return format_micro(amount) if amount else "None"


def _make_plan(context: ExecutionContext, record: None, form: NewPlanForm) -> str:
    slug = form.cleaned_data["slug"]
    if Plan.objects.filter(slug=slug).exists():
        raise ConflictError(f"There is already a plan {slug}. Change it on its own page.")
    plan = plan_upsert(context, slug=slug, params=form.wish(), reason=form.cleaned_data["reason"])
    return f"The plan {plan.name} is created."


_NEW = Verb(
    name="new",
    label="New plan",
    description="It can be chosen on every workspace page at once. Its slug never changes.",
    submit="Create the plan",
    operation=PLAN_OPERATION,
    icon="add",
    form_class=NewPlanForm,
    run=_make_plan,
)
PLAN_VERBS = (
    Verb(
        name="change_plan",
        label="Change plan",
        description="Applies from now on to every customer on this plan.",
        submit="Change the plan",
        operation=PLAN_OPERATION,
        icon="edit",
        form_class=PlanForm,
        initial=lambda plan: {
            "name": plan.name,
            "price": _whole_units(plan),
            "currency": plan.currency,
            "interval": plan.interval,
            "is_active": plan.is_active,
            "credit_allowance": _amount(plan.credit_allowance),
            "credit_cadence": plan.credit_cadence,
            "credit_expires_after_days": plan.credit_expires_after_days,
            "credit_rollover_cap": _amount(plan.credit_rollover_cap),
        },
        run=_change_plan,
        effect=_effect_of_change,
    ),
    *PLAN_NAME_VERBS,
)


class PlanAdmin(StaffAdmin[Plan]):
    operation = "plans.read"
    icon = "sell"
    heading = "Plans"
    about = "The plans that a workspace can subscribe to."
    ordering = ("slug",)
    list_before_template = "backoffice/plans_intro.html"
    list_display = ("named", "price", "availability", "held_by", "created")
    list_filter = (
        flag_filter("active", "can be chosen", Q(is_active=True)),
        choice_filter("interval", "interval", lambda: PlanInterval.choices),
    )
    search_prefixes = ("slug",)
    search_names = ("name",)
    search_help_text = "Id, slug or beginning of the name"
    verbs = PLAN_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        return super().get_queryset(request).annotate(holders=count_of(WorkspaceSubscription, "plan_id"))

    @display(description="Plan")
    def named(self, record: Plan) -> SafeString:
        return title_and_slug(record.name, record.slug)

    @display(description="Price")
    def price(self, record: Plan) -> str:
        return price_of(record)

    @display(description="Can be chosen")
    def availability(self, record: Plan) -> SafeString:
        return badge("Yes", "good") if record.is_active else badge("No")

    @display(description="Subscriptions")
    def held_by(self, record: Any) -> str:
        return number(record.holders)

    @display(description="Created")
    def created(self, record: Plan) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: Plan) -> list[Any]:
        return [] if record.is_active else [badge("Can't be chosen")]

    def facts(self, record: Any) -> list[Fact]:
        return [
            Fact("Price", self.price(record)),
            Fact("Credits", describe_allowance(record) or "None"),
            Fact("Slug", code(record.slug)),
            Fact("Id", code(record.pk)),
            Fact("Can be chosen", self.availability(record), "Workspaces on this plan keep it."),
            Fact("Subscriptions", number(record.holders), "Includes ended subscriptions."),
            Fact("Created", moment(record.created_at)),
        ]

    def panels(self, request: HttpRequest, record: Plan) -> list[Panel]:
        return [names_panel(record), *changes_of_target(request, "plan", record.pk)]

    def further_routes(self) -> dict[str, str]:
        return {f"{self.route_prefix}_new": PLAN_OPERATION}

    def get_urls(self) -> list[URLPattern]:
        new = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.new))
        return [path("new/", new, name=f"{self.route_prefix}_new"), *super().get_urls()]

    def new(self, request: HttpRequest) -> HttpResponse:
        """Make a plan."""
        require_may(request, PLAN_OPERATION)
        return run_verb(request, _NEW, None, done_url=list_url(Plan))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        new_url = reverse("admin:subscriptions_plan_new") if may(request, PLAN_OPERATION) else ""
        return super().changelist_view(request, {**(extra_context or {}), "new_url": new_url})
