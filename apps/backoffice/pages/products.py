"""Products, with their tokens and the organizations they have access to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_safe

from apps.backoffice.cells import (
    NOTHING,
    badge,
    code,
    list_url,
    moment,
    number,
    page_url,
    record_link,
    title_and_slug,
)
from apps.backoffice.filters import choice_filter
from apps.backoffice.pages.balance_imports import IMPORT, imports_fact, imports_panel, upload_page
from apps.backoffice.pages.cutover import central_fact, cutover_panels
from apps.backoffice.pages.drift import drift_context, drift_fact, drift_panel
from apps.backoffice.pages.lookups import count_of
from apps.backoffice.pages.product_verbs import PRODUCT_VERBS
from apps.backoffice.pages.reconciliation import runs_panel
from apps.backoffice.pages.tokens import token_state
from apps.backoffice.pages.usage_verbs import usage_fact
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff import may, require_may
from apps.backoffice.staff_admin import StaffAdmin
from apps.tenants.enums import BillingMode
from apps.tenants.models import Product, ProductRelation, ServiceToken

DRIFT_OPERATION = "credits.read"
_MODE_TONES: dict[str, Any] = {BillingMode.SHADOW: "warn", BillingMode.CENTRAL: "good"}


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
    verbs = PRODUCT_VERBS

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
            Fact("Percentage", f"{record.percentage} % {record.percentage_mode}" if record.percentage else NOTHING),
            central_fact(record),
            Fact("Organizations", number(record.related)),
            Fact(
                "Membership export",
                code(record.membership_export_url),
                _export_hint(record),
            ),
            Fact(
                "Return hosts",
                ", ".join(record.hosts_to_return_to()) or NOTHING,
                "Where portal sessions may return to.",
            ),
            usage_fact(record),
            drift_fact(_drift_url(record)),
            imports_fact(reverse("admin:tenants_product_import_balances", args=(record.pk,))),
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
        drift = (
            [drift_panel(record, _drift_url(record)), imports_panel(record)] if may(request, DRIFT_OPERATION) else []
        )
        runs = [runs_panel(record)] if may(request, "reconciliation.read") else []
        return [
            *self._tokens(request, record),
            *runs,
            *cutover_panels(record),
            *drift,
            related,
            *changes_of_target(request, "product", record.pk),
        ]

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

    # --- Drift -----------------------------------------------------------------------------------------------------
    def further_routes(self) -> dict[str, str]:
        return {f"{self.route_prefix}_drift": DRIFT_OPERATION, f"{self.route_prefix}_import_balances": IMPORT}

    def get_urls(self) -> list[URLPattern]:
        guarded, upload = self.admin_site.admin_view, require_http_methods(["GET", "POST"])(self.import_balances)
        return [
            path("<uuid:object_id>/drift/", guarded(require_safe(self.drift)), name=f"{self.route_prefix}_drift"),
            path("<uuid:object_id>/balances/", guarded(upload), name=f"{self.route_prefix}_import_balances"),
            *super().get_urls(),
        ]

    def drift(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Where the product's decisions and ours differ."""
        require_may(request, DRIFT_OPERATION)
        record = self.record_or_404(request, object_id)
        context = {**self._shown(request, record), "title": f"Drift of {record.name}", **drift_context(request, record)}
        return TemplateResponse(request, "backoffice/credits/drift.html", context)

    def import_balances(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Upload a file of the product's own balances."""
        require_may(request, IMPORT)
        record = self.record_or_404(request, object_id)
        return upload_page(request, record, self._shown(request, record))

    def _shown(self, request: HttpRequest, record: Product) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "page": self,
            "original": record,
            "badges": self.badges(record),
            "product_url": page_url(record),
        }


def _export_hint(product: Product) -> str:
    if not product.membership_export_url:
        return "Not set. Where we read the product's members every night."
    return f"Read every night, {'with the key stored here' if product.sealed_export_key else 'without a key'}."


def _drift_url(product: Product) -> str:
    return reverse("admin:tenants_product_drift", args=(product.pk,))
