"""The switch of a product's usage to Orb (spec 04, Usage to Orb)."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldBooleanWidget

from apps.backoffice.panels import Fact
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.core.ids import ProductId
from apps.payments.models import UsageReporting
from apps.payments.services import usage_reporting_change
from apps.tenants.models import Product

_OPERATION = "usage_reporting.change"


class UsageReportingForm(ReasonForm):
    """Whether, and what else goes."""

    is_on = forms.BooleanField(
        label="Report usage to Orb",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Every charge from now on goes to Orb each hour; earlier ones by manage.py backfill_usage.",
    )
    includes_unpriced = forms.BooleanField(
        label="Free and internal usage too",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="With category free or internal, and nothing charged.",
    )
    is_plan_checked = forms.BooleanField(
        label="Orb's plan prices only what credits did not pay",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text='The metric in Orb filters paid_by = "none"; else customers pay twice. Needed to switch it on.',
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("is_on") and not cleaned.get("is_plan_checked"):
            self.add_error("is_plan_checked", "Check the plan's metric in Orb first, then confirm it here.")
        return cleaned


def _change(context: ExecutionContext, product: Product, form: UsageReportingForm) -> str:
    row = usage_reporting_change(
        context,
        product_id=ProductId(product.pk),
        is_on=form.cleaned_data["is_on"],
        includes_unpriced=form.cleaned_data["includes_unpriced"],
        reason=form.cleaned_data["reason"],
    )
    return f"Usage of {product.name} {'goes to Orb from now on' if row.reports_from else 'no longer goes to Orb'}."


def _stored(product: Product) -> UsageReporting | None:
    return UsageReporting.objects.filter(product=product).first()


def _initial(product: Product) -> dict[str, bool]:
    row = _stored(product)
    return {
        "is_on": row is not None and row.reports_from is not None,
        "includes_unpriced": row is not None and row.includes_unpriced,
    }


def usage_fact(product: Product) -> Fact:
    """Whether the product's usage goes to Orb, on its page."""
    row = _stored(product)
    if row is None or row.reports_from is None:
        return Fact("Usage to Orb", "Not reported")
    also = "Free and internal usage too." if row.includes_unpriced else "Without free and internal usage."
    return Fact("Usage to Orb", f"Since {row.reports_from:%-d %B %Y, %H:%M} UTC", also)


USAGE_VERBS = (
    Verb(
        name="report_usage",
        label="Report usage to Orb",
        description="Orb hears of each charge as an event named product.operation, with quantity_micro (millionths of "
        "a unit), category, charged and paid_by. Reversals amend it.",
        submit="Save",
        operation=_OPERATION,
        icon="cloud_upload",
        form_class=UsageReportingForm,
        initial=_initial,
        run=_change,
    ),
)
