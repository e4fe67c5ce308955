"""Products, with their tokens and the organizations they have access to."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from apps.backoffice.actions import Dialog, Outcome, ReasonForm, show_dialog, staff_action
from apps.backoffice.credits.product_verbs import MODE_DIALOG, MODE_OPERATION, BillingModeForm, current_mode
from apps.backoffice.display import badge, code, list_url, moment, number, page_url, record_link, title_and_slug
from apps.backoffice.filters import choice_filter
from apps.backoffice.pages.drift import drift_context, drift_fact, drift_panel
from apps.backoffice.pages.lookups import count_of, find_organization
from apps.backoffice.pages.return_hosts import (
    RETURN_HOSTS_DIALOG,
    ReturnHostsForm,
    return_hosts_change,
    return_hosts_fact,
    return_hosts_now,
)
from apps.backoffice.pages.tokens import token_state
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff import acting_context, may, require_may
from apps.backoffice.staff_admin import StaffAdmin
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, Scope
from apps.core.form_fields import DayField
from apps.core.ids import OrganizationId, ProductId
from apps.tenants.enums import BillingMode, TokenKind
from apps.tenants.models import Product, ProductRelation, ServiceToken
from apps.tenants.services import product_billing_mode_change, product_relation_upsert, service_token_create

DRIFT_OPERATION = "credits.read"
_MODE_TONES: dict[str, Any] = {BillingMode.SHADOW: "warn", BillingMode.CENTRAL: "good"}


class CreateTokenForm(ReasonForm):
    """Name, scopes and expiry of a new token."""

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


class RelateForm(ReasonForm):
    organization = forms.CharField(
        max_length=80,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Id or slug"}),
        help_text="The product can then read and report everything about this organization.",
    )


class ProductAdmin(StaffAdmin[Product]):
    """A SaaS product that calls the internal API, or the identity service."""

    operation = "products.read"
    icon = "deployed_code"
    heading = "Products"
    about = "The systems that call the internal API, and the organizations that each has access to."
    ordering = ("slug",)
    list_display = ("named", "mode", "related_count", "created")
    list_filter = (choice_filter("billing_mode", "billing mode", lambda: BillingMode.choices),)
    search_prefixes = ("slug",)
    search_names = ("name",)
    search_help_text = "Id, slug or beginning of the name"
    actions_detail: ClassVar[tuple[str, ...]] = (
        "create_token",
        "relate_organization",
        "change_return_hosts",
        "change_billing_mode",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).annotate(related=count_of(ProductRelation, "product_id"))

    @display(description="Product")
    def named(self, record: Product) -> SafeString:
        return title_and_slug(record.name, record.slug)

    @display(description="Billing mode")
    def mode(self, record: Product) -> SafeString:
        return badge(record.billing_mode.capitalize(), _MODE_TONES.get(record.billing_mode, "neutral"))

    @display(description="Organizations")
    def related_count(self, record: Any) -> str:
        return number(record.related)

    @display(description="Created")
    def created(self, record: Product) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: Product) -> list[Any]:
        return [self.mode(record)]

    def facts(self, record: Any) -> list[Fact]:
        return [
            Fact("Slug", code(record.slug)),
            Fact("Id", code(record.pk)),
            Fact("Billing mode", record.get_billing_mode_display()),
            Fact("Organizations", number(record.related)),
            Fact(
                "Membership export",
                code(record.membership_export_url),
                "Read every night to find differences in memberships.",
            ),
            return_hosts_fact(record),
            drift_fact(_drift_url(record)),
            Fact("Created", moment(record.created_at)),
        ]

    def panels(self, request: HttpRequest, record: Product) -> list[Panel]:
        relations = ProductRelation.objects.filter(product=record).select_related("organization")
        related = panel_of(
            "Organizations it has access to",
            ("Organization", "Why", "Since"),
            relations.order_by("pk"),
            lambda row: (record_link(row.organization), row.get_source_display(), moment(row.created_at)),
            empty="None yet. Its calls about any organization are refused with 403 product_not_related.",
            icon="domain",
        )
        drift = [drift_panel(record, _drift_url(record))] if may(request, DRIFT_OPERATION) else []
        return [*self._tokens(request, record), *drift, related, *changes_of_target(request, "product", record.pk)]

    def _tokens(self, request: HttpRequest, record: Product) -> list[Panel]:
        if not may(request, "tokens.read"):
            return []
        return [
            panel_of(
                "Tokens",
                ("Token", "Prefix", "State", "Last used", "Created"),
                ServiceToken.objects.filter(product=record).order_by("-created_at"),
                lambda row: (
                    record_link(row, row.name),
                    code(row.prefix),
                    token_state(row),
                    moment(row.last_used_at),
                    moment(row.created_at),
                ),
                empty="No token. This product can't call the internal API yet.",
                link=list_url(ServiceToken, product=record.slug),
                icon="key",
            )
        ]

    @staff_action(
        operation="tokens.manage",
        dialog=Dialog(
            "Create token",
            "The token is shown once, right after this. Only its hash is kept, so nobody can show it again.",
            "Create token",
        ),
        form_class=CreateTokenForm,
        icon="key",
    )
    def create_token(self, request: HttpRequest, record: Product, form: CreateTokenForm) -> Outcome:
        """Make a token of the product, and show it this once."""
        token, text = service_token_create(
            acting_context(request, "tokens.manage"),
            kind=TokenKind.PRODUCT,
            name=form.cleaned_data["name"],
            product_id=ProductId(record.pk),
            scopes=[Scope(scope) for scope in form.cleaned_data["scopes"]],
            expires_at=form.expires_at(),
            reason=form.cleaned_data["reason"],
        )
        return show_fresh_token(request, token, text)

    @staff_action(
        operation="organizations.relate_product",
        dialog=Dialog(
            "Relate to organization",
            "Lets the product speak of an organization that it did not create itself.",
            "Relate",
        ),
        form_class=RelateForm,
        icon="add_link",
    )
    def relate_organization(self, request: HttpRequest, record: Product, form: RelateForm) -> Outcome:
        """Let the product speak of an organization."""
        organization = find_organization(form.cleaned_data["organization"])
        related = product_relation_upsert(
            acting_context(request, "organizations.relate_product", organization),
            organization_id=OrganizationId(organization.pk),
            product_slug=record.slug,
            reason=form.cleaned_data["reason"],
        )
        if not related.is_created:
            return f"{record.name} was related to {organization.name} before; nothing was changed."
        return f"{record.name} may now speak of {organization.name}."

    @staff_action(
        operation="products.manage",
        dialog=RETURN_HOSTS_DIALOG,
        form_class=ReturnHostsForm,
        icon="keyboard_return",
        initial=return_hosts_now,
    )
    def change_return_hosts(self, request: HttpRequest, record: Product, form: ReturnHostsForm) -> Outcome:
        """Say where visits from the product may lead back to."""
        return return_hosts_change(request, record, form)

    @staff_action(
        operation=MODE_OPERATION, dialog=MODE_DIALOG, form_class=BillingModeForm, icon="tune", initial=current_mode
    )
    def change_billing_mode(self, request: HttpRequest, record: Product, form: BillingModeForm) -> Outcome:
        """Say who decides on the product's credits."""
        mode = BillingMode(form.cleaned_data["billing_mode"])
        if record.billing_mode == mode:
            return f"{record.name} was in this mode already. Nothing was changed."
        product_billing_mode_change(
            acting_context(request, MODE_OPERATION),
            product_id=ProductId(record.pk),
            billing_mode=mode,
            reason=form.cleaned_data["reason"],
            without_check=form.cleaned_data["without_check"],
        )
        return f"{record.name} is now in the mode {mode.value}."

    # --- Drift -----------------------------------------------------------------------------------------------------
    def further_routes(self) -> dict[str, str]:
        return {f"{self.route_prefix}_drift": DRIFT_OPERATION}

    def get_urls(self) -> list[URLPattern]:
        drift = self.admin_site.admin_view(require_safe(self.drift))
        return [path("<uuid:object_id>/drift/", drift, name=f"{self.route_prefix}_drift"), *super().get_urls()]

    def drift(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Where the product's decisions and ours differ."""
        require_may(request, DRIFT_OPERATION)
        record = self.record_or_404(request, object_id)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": f"Drift of {record.name}",
            "opts": self.opts,
            "page": self,
            "original": record,
            "badges": self.badges(record),
            "product_url": page_url(record),
            **drift_context(record),
        }
        return TemplateResponse(request, "backoffice/credits/drift.html", context)


def _drift_url(product: Product) -> str:
    return reverse("admin:tenants_product_drift", args=(product.pk,))


def show_fresh_token(request: HttpRequest, token: ServiceToken, text: str) -> HttpResponse:
    """Show the token, this once. It must not get into a session, a message or a log."""
    shown = {"token": token, "text": text, "token_url": page_url(token)}
    return show_dialog(request, "fresh_token", shown)
