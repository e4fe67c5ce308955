"""Credit policies: drafts with a price preview, and published versions (spec 05, Policy)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from apps.backoffice.cells import badge, badges, code, link, moment, record_link, title_and_slug
from apps.backoffice.credits.policy_form import PolicyForms
from apps.backoffice.credits.price_preview import effect_panels, progress_of, result_of
from apps.backoffice.credits.verbs import POLICY_OPERATION, POLICY_VERBS
from apps.backoffice.filters import choice_filter
from apps.backoffice.pages.lookups import count_of, product_choices
from apps.backoffice.panels import Fact, Panel, Row
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.credits import format_credits
from apps.backoffice.staff import acting_context, may, require_may
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import refresh_when_over
from apps.core import clock
from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.credits.enums import PolicyStatus
from apps.credits.models import CreditPolicy, OperationPrice
from apps.credits.rules.pricing import PolicyTerms, Price
from apps.credits.selectors.policies import policy_terms, terms_in_force
from apps.credits.services import credit_policy_draft, price_preview_request
from apps.tenants.models import Product


def is_draft(policy: CreditPolicy) -> bool:
    return policy.status == PolicyStatus.DRAFT


class CreditPolicyAdmin(StaffAdmin[CreditPolicy]):
    operation = "credit_policies.read"
    icon = "price_change"
    heading = "Credit policies"
    about = "The price of each operation of a product. You can edit a draft; a published policy can't be changed."
    ordering = ("product__slug", "-version")
    list_before_template = "backoffice/credits/policies_intro.html"
    list_display = ("named", "state", "operations", "effective", "published")
    list_filter = (
        choice_filter("product", "product", product_choices, field="product_id"),
        choice_filter("status", "state", lambda: PolicyStatus.choices),
    )
    search_prefixes = ("product__slug",)
    search_help_text = "Id, or beginning of the product's slug"
    verbs = POLICY_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditPolicy]:
        return (
            super()
            .get_queryset(request)
            .select_related("product")
            .annotate(priced=count_of(OperationPrice, "policy_id"))
        )

    @display(description="Policy")
    def named(self, record: CreditPolicy) -> SafeString:
        return title_and_slug(f"{record.product.name}, version {record.version}", record.product.slug)

    @display(description="State")
    def state(self, record: CreditPolicy) -> SafeString:
        if is_draft(record):
            return badge("Draft", "warn")
        return badge("Published", "good") if record.effective_from <= clock.now() else badge("Starts later", "info")

    @display(description="Operations")
    def operations(self, record: Any) -> str:
        return str(record.priced)

    @display(description="In force from")
    def effective(self, record: CreditPolicy) -> SafeString:
        return moment(record.effective_from)

    @display(description="Published")
    def published(self, record: CreditPolicy) -> SafeString:
        return moment(record.published_at)

    def title_of(self, record: CreditPolicy) -> str:
        return f"{record.product.name}: policy version {record.version}"

    def badges(self, record: CreditPolicy) -> list[Any]:
        return [self.state(record)]

    def facts(self, record: CreditPolicy) -> list[Fact]:
        edit = reverse("admin:credits_creditpolicy_draft", args=(record.product_id,))
        words = "Edit the draft" if is_draft(record) else "Draft the next version"
        current = terms_in_force(record.product_id, clock.now())
        in_force = current is not None and current.id == record.pk
        return [
            Fact("Product", record_link(record.product)),
            Fact("In force", "Yes, now" if in_force else "No", _in_force_words(record, current)),
            Fact("In force from", moment(record.effective_from)),
            Fact(
                "Published", moment(record.published_at), "" if record.published_at else "This draft can still change."
            ),
            Fact("Prices", link(edit, words), "Platform admins only."),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: CreditPolicy) -> list[Panel]:
        prices = _prices_panel(policy_terms(record))
        has_effect = is_draft(record) or result_of(record) is not None
        effect = effect_panels(record) if has_effect else []
        return [*effect[:1], prices, *effect[1:], *changes_of_target(request, "credit_policy", record.pk)]

    def extra_context(self, request: HttpRequest, record: CreditPolicy) -> dict[str, Any]:
        section = progress_of(record, self.url_of(record))
        return {} if section is None else {"section": section}

    def page(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return refresh_when_over(request, super().page(request, object_id))

    # --- The draft -------------------------------------------------------------------------------------------------
    def further_routes(self) -> dict[str, str]:
        return {f"{self.route_prefix}_draft": POLICY_OPERATION}

    def get_urls(self) -> list[URLPattern]:
        draft = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.draft))
        return [path("draft/<uuid:product_id>/", draft, name=f"{self.route_prefix}_draft"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        products = Product.objects.order_by("slug") if may(request, POLICY_OPERATION) else []
        drafts = [
            (product.name, reverse("admin:credits_creditpolicy_draft", args=(product.pk,))) for product in products
        ]
        return super().changelist_view(request, {**(extra_context or {}), "drafts": drafts})

    def draft(self, request: HttpRequest, product_id: UUID) -> HttpResponse:
        """Edit the product's draft. A new draft starts with the prices of the newest version."""
        require_may(request, POLICY_OPERATION)
        product = Product.objects.filter(pk=product_id).first()
        if product is None:
            raise Http404(f"There is no product {product_id}.")
        newest = CreditPolicy.objects.filter(product=product).order_by("-version").prefetch_related("prices").first()
        prices = list(policy_terms(newest).prices.values()) if newest else []
        moment_kept = newest.effective_from if newest is not None and is_draft(newest) else None
        forms = PolicyForms(request.POST if request.method == "POST" else None, prices, moment_kept)
        is_saving = request.method == "POST" and request.POST.get("step") != "more"
        error = None
        if is_saving and forms.is_valid():
            try:
                return self._save(request, product, forms)
            except CountinghouseError as refusal:
                error = refusal
        return self._draft_page(request, product, forms, error)

    def _save(self, request: HttpRequest, product: Product, forms: PolicyForms) -> HttpResponse:
        context = acting_context(request, POLICY_OPERATION)
        policy = credit_policy_draft(
            context,
            product_id=ProductId(product.pk),
            prices=forms.prices(),
            effective_from=forms.effective_from(),
            reason=forms.reason(),
        )
        price_preview_request(context, policy_id=policy.pk, reason=forms.reason())
        return HttpResponseRedirect(self.url_of(policy))

    def _draft_page(
        self, request: HttpRequest, product: Product, forms: PolicyForms, error: CountinghouseError | None
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": f"{product.name}: draft of the next policy",
            "opts": self.opts,
            "page": self,
            "product": product,
            "forms": forms,
            "error": error,
        }
        return TemplateResponse(request, "backoffice/credits/draft.html", context)


def _in_force_words(record: CreditPolicy, current: PolicyTerms | None) -> str:
    if current is None or current.id == record.pk:
        return "" if current else "No policy is in force. Every request of this product is refused."
    return f"Version {current.version} is in force."


def _prices_panel(terms: PolicyTerms) -> Panel:
    headers = ("Operation", "Price", "Minimum", "Free a month", "Smallest step", "Billable outcomes", "Other outcomes")
    rows = [_price_row(price) for price in terms.prices.values()]
    return Panel("Prices", headers, rows, empty="No prices yet.", icon="sell")


def _price_row(price: Price) -> Row:
    return (
        code(price.operation),
        f"{format_credits(price.unit_price)} a {price.unit}",
        format_credits(price.minimum_charge) if price.minimum_charge else "None",
        format_credits(price.free_quantity) if price.free_quantity else "None",
        format_credits(price.quantum),
        badges(price.billable_outcomes),
        badges(price.other_outcomes),
    )
