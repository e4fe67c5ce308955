"""Verbs of a product: tokens, related organizations, return hosts, members (spec 02)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.backoffice.cells import page_url
from apps.backoffice.pages.billing_mode_verbs import BILLING_MODE_VERBS
from apps.backoffice.pages.cutover_runs import CHECK
from apps.backoffice.pages.difference_marks import EXPLAIN_CLASS
from apps.backoffice.pages.product_forms import RelateForm
from apps.backoffice.pages.usage_verbs import USAGE_VERBS
from apps.backoffice.verbs import NextDialog, ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, Scope
from apps.core.form_fields import DayField
from apps.core.ids import OrganizationId, ProductId
from apps.tenants.enums import TokenKind
from apps.tenants.models import Product
from apps.tenants.services import (
    product_export_change,
    product_relation_upsert,
    product_return_hosts_change,
    reconciliation_request,
    service_token_create,
)


class CreateTokenForm(ReasonForm):
    """What a token may be used for, and for how long."""

    name = forms.CharField(
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "production, EU cluster"}),
        help_text="Where the token is used, so that you can find the right one to revoke.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in Scope if scope is not Scope.JOBS_RUN],
        initial=[scope.value for scope in DEFAULT_PRODUCT_SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    expires_on = DayField(
        label="Last day",
        required=False,
        help_text="In UTC. Leave empty for a token that does not expire.",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )

    def expires_at(self) -> datetime | None:
        """The end of the last day, in UTC."""
        day = self.cleaned_data["expires_on"]
        return datetime.combine(day, time.min, tzinfo=UTC) + timedelta(days=1) if day else None


class ReturnHostsForm(ReasonForm):
    """One host a line."""

    hosts = forms.CharField(
        required=False,
        max_length=6000,
        help_text="One host per line, such as app.example.com. Leave empty to offer no way back.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "placeholder": "app.example.com"}),
    )


class ExportForm(ReasonForm):
    """Where its members are read."""

    url = forms.CharField(
        label="Address",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://red.example.com/internal/members"}),
        help_text="Asked every night for all members, page by page. Leave empty to stop.",
    )
    key = forms.CharField(
        required=False,
        max_length=1_000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="The product's own bearer key. It is encrypted and never shown again. Leave empty to keep the one "
        "that is there; with a new address, enter it again.",
    )


def _create_token(context: ExecutionContext, product: Product, form: CreateTokenForm) -> NextDialog:
    """The one answer that holds a token's text. It is in no session, no message and no log."""
    token, text = service_token_create(
        context,
        kind=TokenKind.PRODUCT,
        name=form.cleaned_data["name"],
        product_id=ProductId(product.pk),
        scopes=[Scope(scope) for scope in form.cleaned_data["scopes"]],
        expires_at=form.expires_at(),
        reason=form.cleaned_data["reason"],
    )
    return NextDialog("fresh_token", {"token": token, "text": text, "token_url": page_url(token)})


def _relate(context: ExecutionContext, product: Product, form: RelateForm) -> str:
    organization = form.found()
    related = product_relation_upsert(
        context,
        organization_id=OrganizationId(organization.pk),
        product_slug=product.slug,
        reason=form.cleaned_data["reason"],
    )
    if not related.is_created:
        return f"{product.name} already has access to {organization.name}. Nothing was changed."
    return f"{product.name} now has access to {organization.name}."


def _change_return_hosts(context: ExecutionContext, product: Product, form: ReturnHostsForm) -> str:
    changed = product_return_hosts_change(
        context,
        product_id=ProductId(product.pk),
        hosts=form.cleaned_data["hosts"].split(),
        reason=form.cleaned_data["reason"],
    )
    hosts = ", ".join(changed.hosts_to_return_to())
    visitors = f"Visitors from {product.name}"
    return f"{visitors} can return to {hosts}." if hosts else f"{visitors} can't return to it now."


def _change_export(context: ExecutionContext, product: Product, form: ExportForm) -> str:
    changed = product_export_change(
        context,
        product_id=ProductId(product.pk),
        url=form.cleaned_data["url"].strip(),
        key=form.cleaned_data["key"],
        reason=form.cleaned_data["reason"],
    )
    if not changed.membership_export_url:
        return f"Members of {product.name} are not read any more."
    keyed = "with its key" if changed.sealed_export_key else "without a key"
    return f"Members of {product.name} are read every night, {keyed}."


def _reconcile(context: ExecutionContext, product: Product, form: ReasonForm) -> str:
    reconciliation_request(context, product_id=ProductId(product.pk), reason=form.cleaned_data["reason"])
    return f"Members of {product.name} are being compared. The run is on this page."


def _reconcile_refusal(product: Product) -> str:
    return "" if product.membership_export_url else "Set the product's membership export first."


PRODUCT_VERBS = (
    Verb(
        name="create_token",
        label="Create token",
        description="The token is shown once, right after this. Only its hash is kept, so nobody can show it again.",
        operation="tokens.manage",
        icon="key",
        form_class=CreateTokenForm,
        run=_create_token,
    ),
    Verb(
        name="relate_organization",
        label="Relate to organization",
        description="Gives this product access to an organization that it did not create itself.",
        submit="Relate",
        operation="organizations.relate_product",
        icon="add_link",
        form_class=RelateForm,
        run=_relate,
        organization_of=lambda product, form: form.found(),
    ),
    Verb(
        name="change_return_hosts",
        label="Change return hosts",
        description="Where people whom the product sends here can return to. Only these hosts, over https.",
        submit="Save the hosts",
        operation="products.manage",
        icon="keyboard_return",
        form_class=ReturnHostsForm,
        initial=lambda product: {"hosts": product.return_hosts},
        run=_change_return_hosts,
    ),
    Verb(
        name="set_membership_export",
        label="Set membership export",
        description="Where we read the product's members, to import those who are missing here and list differences.",
        submit="Save",
        operation="products.manage",
        icon="group_add",
        form_class=ExportForm,
        initial=lambda product: {"url": product.membership_export_url},
        run=_change_export,
    ),
    Verb(
        name="reconcile",
        label="Reconcile members",
        description="Compares all members of the product with ours now, as every night.",
        submit="Reconcile",
        operation="reconciliation.run",
        icon="sync_alt",
        refusal=_reconcile_refusal,
        run=_reconcile,
    ),
    CHECK,
    EXPLAIN_CLASS,
    *BILLING_MODE_VERBS,
    *USAGE_VERBS,
)
