"""Who decides on a product's credits: shown and changed on the product's page (spec 02, Cutover; 05, Shadow mode)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from apps.backoffice.actions import Dialog, ReasonForm
from apps.backoffice.display import badge, link
from apps.backoffice.panels import Fact, Panel
from apps.core import clock
from apps.credits.enums import DisagreementClass
from apps.credits.selectors.drift import DAYS, drift_of
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


def drift_panel(product: Product, url: str) -> Panel:
    """How many disagreements there were lately, by class."""
    drift = drift_of(product.pk, clock.now())
    rows = [(each.label, str(sum(counts)), str(counts[-1])) for each, counts in drift.counts.items() if sum(counts)]
    empty = (
        f"No disagreement in {DAYS} days."
        if product.billing_mode != BillingMode.LOCAL
        else f"No disagreement in {DAYS} days. The product compares once it sends local_decision."
    )
    headers = ("What differs", f"Last {DAYS} days", "Today")
    return Panel("Drift of shadow mode", headers, rows, empty=empty, link=url, icon="compare_arrows")


def drift_fact(url: str) -> Fact:
    """The way to the drift page."""
    return Fact("Drift", link(url, "Open the drift page"), "Where its own decisions and ours differ.")


def class_badge(difference: str) -> Any:
    """The class of a disagreement, the gravest in the loudest colour."""
    grave = {DisagreementClass.UNKNOWN_OPERATION, DisagreementClass.MEMBERSHIP, DisagreementClass.VERDICT}
    found = DisagreementClass(difference)
    return badge(found.label, "bad" if found in grave else "warn")
