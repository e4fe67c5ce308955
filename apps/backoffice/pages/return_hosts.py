"""The hosts that a portal session may return to, on the product's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.backoffice.actions import Dialog, ReasonForm
from apps.backoffice.display import NOTHING
from apps.backoffice.panels import Fact
from apps.backoffice.staff import acting_context
from apps.core.ids import ProductId
from apps.tenants.models import Product
from apps.tenants.services import product_return_hosts_change

RETURN_HOSTS_DIALOG = Dialog(
    "Change return hosts",
    "The product sends people here by portal sessions. Its way back may lead to these hosts alone, over https.",
    "Save the hosts",
)


class ReturnHostsForm(ReasonForm):
    """One host a line."""

    hosts = forms.CharField(
        required=False,
        max_length=6000,
        help_text="One a line, such as app.example.com. Empty: there is no way back.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "placeholder": "app.example.com"}),
    )


def return_hosts_now(record: Product) -> dict[str, Any]:
    """The form's initial values."""
    return {"hosts": record.return_hosts}


def return_hosts_change(request: HttpRequest, record: Product, form: ReturnHostsForm) -> str:
    product = product_return_hosts_change(
        acting_context(request, "products.manage"),
        product_id=ProductId(record.pk),
        hosts=form.cleaned_data["hosts"].split(),
        reason=form.cleaned_data["reason"],
    )
    hosts = ", ".join(product.hosts_to_return_to())
    return f"Visits from {record.name} may lead back to {hosts}." if hosts else f"{record.name} has no way back now."


def return_hosts_fact(record: Product) -> Fact:
    hosts = ", ".join(record.hosts_to_return_to())
    return Fact("Return hosts", hosts or NOTHING, "Where portal sessions may return to.")
