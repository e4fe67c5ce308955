"""Verbs that say who decides on the credits of a product, a percentage of its organizations, or one (spec 02)."""

from __future__ import annotations

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from apps.backoffice.pages.product_forms import RelateForm
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, ProductId
from apps.tenants.enums import BillingMode
from apps.tenants.models import Product
from apps.tenants.services import (
    billing_exception_change,
    billing_mode_revert,
    billing_percentage_change,
    product_billing_mode_change,
)


class BillingModeForm(ReasonForm):
    """Who decides."""

    billing_mode = forms.ChoiceField(choices=BillingMode.choices, widget=UnfoldAdminSelectWidget())
    without_check = forms.BooleanField(
        label="Central without a passed cutover check",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Central asks for a cutover check that passed within a day. This overrides it.",
    )


class PercentageForm(ReasonForm):
    """How many, and which mode."""

    percentage = forms.IntegerField(
        min_value=0,
        max_value=100,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
        help_text="Always the same organizations: those of 10 % are among those of 20 %. 0 ends it.",
    )
    mode = forms.ChoiceField(choices=BillingMode.choices, widget=UnfoldAdminSelectWidget())
    without_check = forms.BooleanField(
        label="Central though something is missing", required=False, widget=UnfoldBooleanWidget()
    )


class ExceptionForm(RelateForm):
    """Which organization, and which mode."""

    mode = forms.ChoiceField(
        choices=[("", "As the product"), *BillingMode.choices], required=False, widget=UnfoldAdminSelectWidget()
    )
    without_check = forms.BooleanField(
        label="Central though something is missing", required=False, widget=UnfoldBooleanWidget()
    )

    def prepare(self) -> None:
        self.fields["organization"].help_text = "Its mode stands before that of the percentage and of the product."


def _change_billing_mode(context: ExecutionContext, product: Product, form: BillingModeForm) -> str:
    mode = BillingMode(form.cleaned_data["billing_mode"])
    if product.billing_mode == mode:
        return f"{product.name} is already in this mode. Nothing was changed."
    product_billing_mode_change(
        context,
        product_id=ProductId(product.pk),
        billing_mode=mode,
        reason=form.cleaned_data["reason"],
        without_check=form.cleaned_data["without_check"],
    )
    return f"{product.name} is now in the mode {mode.value}."


def _change_percentage(context: ExecutionContext, product: Product, form: PercentageForm) -> str:
    percentage, mode = form.cleaned_data["percentage"], BillingMode(form.cleaned_data["mode"])
    billing_percentage_change(
        context,
        product_id=ProductId(product.pk),
        percentage=percentage,
        mode=mode,
        reason=form.cleaned_data["reason"],
        without_check=form.cleaned_data["without_check"],
    )
    if not percentage:
        return f"All organizations of {product.name} have the product's mode, but for exceptions."
    return f"{percentage} % of the organizations of {product.name} are now in the mode {mode.value}."


def _change_exception(context: ExecutionContext, product: Product, form: ExceptionForm) -> str:
    organization, mode = form.found(), form.cleaned_data["mode"]
    billing_exception_change(
        context,
        product_id=ProductId(product.pk),
        organization_id=OrganizationId(organization.pk),
        mode=BillingMode(mode) if mode else None,
        reason=form.cleaned_data["reason"],
        without_check=form.cleaned_data["without_check"],
    )
    if not mode:
        return f"{organization.name} has no mode of its own any more."
    return f"{organization.name} is now in the mode {mode}."


def _revert(context: ExecutionContext, product: Product, form: ReasonForm) -> str:
    change = billing_mode_revert(context, product_id=ProductId(product.pk), reason=form.cleaned_data["reason"])
    return f"Taken back: {change.get_scope_display().lower()}, {change.after or 'none'} to {change.before or 'none'}."


BILLING_MODE_VERBS = (
    Verb(
        name="change_billing_mode",
        label="Change billing mode",
        description="Who decides on this product's credits, from the next call on. Look at its drift first.",
        submit="Change the mode",
        operation="products.manage",
        icon="tune",
        form_class=BillingModeForm,
        initial=lambda product: {"billing_mode": product.billing_mode},
        run=_change_billing_mode,
        is_dangerous=True,
    ),
    Verb(
        name="change_percentage",
        label="Move a percentage",
        description="Puts a stable part of the product's organizations into a mode, from the next call on.",
        submit="Move",
        operation="products.manage",
        icon="percent",
        form_class=PercentageForm,
        initial=lambda product: {"percentage": product.percentage, "mode": product.percentage_mode or "shadow"},
        run=_change_percentage,
        is_dangerous=True,
    ),
    Verb(
        name="change_exception",
        label="Move one organization",
        description="Gives one organization a mode of its own, such as a pilot customer, or takes it back.",
        submit="Move",
        operation="products.manage",
        icon="person_pin_circle",
        form_class=ExceptionForm,
        organization_of=lambda product, form: form.found(),
        run=_change_exception,
        is_dangerous=True,
    ),
    Verb(
        name="revert_billing_mode",
        label="Take back last change",
        description="Undoes the latest change of a billing mode of this product, from the next call on.",
        submit="Take it back",
        operation="products.manage",
        icon="undo",
        run=_revert,
        is_dangerous=True,
    ),
)
