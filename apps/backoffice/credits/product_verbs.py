"""Who decides on a product's credits: shown and changed on the product's page (spec 02, Cutover; 05, Shadow mode)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from apps.backoffice.actions import Dialog, ReasonForm
from apps.tenants.enums import BillingMode
from apps.tenants.models import Product

MODE_OPERATION = "products.manage"
MODE_DIALOG = Dialog(
    "Change billing mode",
    "Who decides on this product's credits, from the next call on. Look at its drift first.",
    "Change the mode",
    is_dangerous=True,
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


def current_mode(product: Product) -> Mapping[str, Any]:
    """What stands in the form at first."""
    return {"billing_mode": product.billing_mode}
