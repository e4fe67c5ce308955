"""Disagreements of shadow mode, with the numbers of both sides (spec 05, Shadow mode)."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import (
    NOTHING,
    badge,
    code,
    link,
    list_url,
    moment,
    page_url_of,
    record_link,
    title_and_slug,
)
from apps.backoffice.filters import choice_filter, days_filter, of_customers, organization_filter, text_filter
from apps.backoffice.pages.difference_marks import EXPLAIN_ONE
from apps.backoffice.pages.drift import class_badge
from apps.backoffice.pages.lookups import organization_name, product_choices
from apps.backoffice.panels import Fact, Panel, Row
from apps.backoffice.records.credits import format_credits
from apps.backoffice.staff_admin import StaffAdmin
from apps.credits.enums import DisagreementClass
from apps.credits.models import CreditEntry, ShadowDisagreement
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Organization

_VERDICT_TONES: dict[str, Any] = {"allow": "good", "deny": "bad"}


class ShadowDisagreementAdmin(StaffAdmin[ShadowDisagreement]):
    """One decision that a product in shadow mode made differently from us."""

    operation = "credits.read"
    icon = "compare_arrows"
    heading = "Disagreements"
    about = "Where a product in shadow mode decided differently from us. The product's drift page counts them."
    ordering = ("-seen_at",)
    list_display = ("when", "difference_cell", "asked", "of_product", "tenant", "local", "ours")
    listed = of_customers("organization_id")
    list_filter = (
        choice_filter("product", "product", product_choices, field="product_id"),
        choice_filter("difference", "what differs", lambda: DisagreementClass.choices),
        organization_filter("organization_id"),
        text_filter("operation", "operation", hint="fix_run"),
        days_filter("seen_at", "seen"),
    )
    search_help_text = "Id of a disagreement"
    verbs = (EXPLAIN_ONE,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ShadowDisagreement]:
        found = super().get_queryset(request).select_related("product")
        return found.annotate(organization_name=organization_name())

    @display(description="When")
    def when(self, record: ShadowDisagreement) -> SafeString:
        return moment(record.seen_at)

    @display(description="What differs")
    def difference_cell(self, record: ShadowDisagreement) -> SafeString:
        return SafeString(class_badge(record.difference))

    @display(description="Question")
    def asked(self, record: ShadowDisagreement) -> SafeString:
        return title_and_slug(record.operation, f"Quantity {format_credits(record.quantity)}")

    @display(description="Product")
    def of_product(self, record: ShadowDisagreement) -> SafeString:
        return record_link(record.product)

    @display(description="Organization")
    def tenant(self, record: Any) -> SafeString:
        if record.organization_id is None:
            return NOTHING
        url = page_url_of(Organization, record.organization_id)
        return link(url, record.organization_name or record.organization_id)

    @display(description="Product decided")
    def local(self, record: ShadowDisagreement) -> SafeString:
        if not record.local_decision:
            return NOTHING
        return badge(record.local_decision.capitalize(), _VERDICT_TONES.get(record.local_decision, "neutral"))

    @display(description="We decided")
    def ours(self, record: ShadowDisagreement) -> SafeString:
        return badge(record.central_decision.capitalize(), _VERDICT_TONES.get(record.central_decision, "neutral"))

    def title_of(self, record: ShadowDisagreement) -> str:
        return f"{record.get_difference_display()}: {record.operation}"

    def badges(self, record: ShadowDisagreement) -> list[Any]:
        return [class_badge(record.difference)]

    def facts(self, record: ShadowDisagreement) -> list[Fact]:
        return [
            Fact("Product", self.of_product(record)),
            Fact("Organization", self.tenant(record)),
            Fact("Asked", f"{record.operation}, {format_credits(record.quantity)}"),
            Fact("Seen", moment(record.seen_at)),
            Fact("Our code", code(record.central_code)),
            Fact("Request", code(record.request_id)),
            *([Fact("Entry", link(page_url_of(CreditEntry, record.entry_id), "Open"))] if record.entry_id else []),
            Fact("Our decision", link(list_url(DecisionReceipt, request_id=record.request_id), "Find the decision")),
        ]

    def panels(self, request: HttpRequest, record: ShadowDisagreement) -> list[Panel]:
        charge = format_credits(record.central_charge) if record.central_charge is not None else NOTHING
        rows: list[Row] = [
            ("Decision", self.local(record), self.ours(record)),
            ("Balance", _told(record.local_balance), format_credits(record.central_balance)),
            ("Charge", _told(record.local_charge), charge),
        ]
        return [Panel("Both sides", ("What", "The product", "We"), rows, icon="compare_arrows")]


def _told(amount: int | None) -> str | SafeString:
    return NOTHING if amount is None else format_credits(amount)
