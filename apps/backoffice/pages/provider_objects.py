"""Invoices and customers of providers as mirrored, read only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from django.contrib.admin import display
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import (
    NOTHING,
    Tone,
    badge,
    code,
    link,
    list_url,
    moment,
    record_link,
    short,
    title_and_slug,
)
from apps.backoffice.filters import choice_filter, organization_filter
from apps.backoffice.list_files import FileColumns
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.invoices import STATUS_TONES, invoices_panel, money
from apps.backoffice.staff_admin import StaffAdmin
from apps.core.amounts import format_minor_number
from apps.payments.enums import CustomerStatus, InvoiceStatus
from apps.payments.models import MirroredObject, ProviderCustomer, ProviderDispute, ProviderInvoice
from apps.subscriptions.enums import Provider

MirroredT = TypeVar("MirroredT", bound=MirroredObject)


class _MirroredAdmin(StaffAdmin[MirroredT]):
    """Common parts of the invoice and customer pages."""

    operation = "provider_objects.read"
    search_ids = ("pk", "organization_id")
    search_help_text = "Id, organization's id, or the provider's id"
    ordering = ("-news_at",)

    def search_condition(self, term: str) -> Q:
        # The index is on provider and id together.
        return super().search_condition(term) | Q(provider__in=Provider.values, external_id=term)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MirroredT]:
        return super().get_queryset(request).select_related("organization")

    @display(description="Organization")
    def tenant(self, record: MirroredT) -> SafeString:
        return record_link(record.organization)

    @display(description="Status")
    def status_badge(self, record: Any) -> SafeString:
        return badge(record.get_status_display(), STATUS_TONES[record.status])

    @display(description="Last update")
    def latest_news(self, record: MirroredT) -> SafeString:
        return moment(record.news_at)

    def badges(self, record: MirroredT) -> list[Any]:
        return [self.status_badge(record), badge(record.get_provider_display())]

    def _origin(self, record: MirroredT) -> list[Fact]:
        return [
            Fact("Provider's id", code(record.external_id)),
            Fact("Last update", moment(record.news_at), "The provider's time. Older updates are ignored."),
            Fact("Id", code(record.pk)),
        ]


class ProviderInvoiceAdmin(_MirroredAdmin[ProviderInvoice]):
    """Invoices of Stripe and Orb."""

    icon = "receipt_long"
    heading = "Provider invoices"
    about = "Invoices from Stripe and Orb. They decide the payment status of an organization."
    list_display = ("named", "status_badge", "tenant", "total", "remaining", "issued", "due")
    file_columns: ClassVar[FileColumns] = {
        "invoice": lambda row: row.number,
        "provider": lambda row: row.get_provider_display(),
        "provider's id": lambda row: row.external_id,
        "organization": lambda row: row.organization.name if row.organization else "",
        "status": lambda row: row.get_status_display(),
        "currency": lambda row: row.currency,
        "total": lambda row: Decimal(format_minor_number(row.total_minor, row.currency)),
        "still open": lambda row: Decimal(format_minor_number(row.amount_remaining_minor, row.currency)),
        "issued (UTC)": lambda row: row.issued_at,
        "due (UTC)": lambda row: row.due_at,
        "paid (UTC)": lambda row: row.paid_at,
        "id": lambda row: row.pk,
    }
    list_filter = (
        choice_filter("status", "status", lambda: InvoiceStatus.choices),
        choice_filter("provider", "provider", lambda: Provider.choices),
        organization_filter("organization_id"),
    )

    @display(description="Invoice")
    def named(self, record: ProviderInvoice) -> SafeString:
        return title_and_slug(record.number or "Without a number", record.external_id)

    @display(description="Total")
    def total(self, record: ProviderInvoice) -> str:
        return money(record.total_minor, record.currency)

    @display(description="Still open")
    def remaining(self, record: ProviderInvoice) -> str:
        return money(record.amount_remaining_minor, record.currency)

    @display(description="Issued")
    def issued(self, record: ProviderInvoice) -> SafeString:
        return moment(record.issued_at)

    @display(description="Due")
    def due(self, record: ProviderInvoice) -> SafeString:
        return moment(record.due_at)

    def title_of(self, record: ProviderInvoice) -> str:
        return f"Invoice {record.number or record.external_id}"

    def facts(self, record: ProviderInvoice) -> list[Fact]:
        return [
            Fact("Organization", self.tenant(record)),
            Fact("Total", self.total(record)),
            Fact("Paid", money(record.amount_paid_minor, record.currency)),
            Fact("Still open", self.remaining(record)),
            Fact("Issued", moment(record.issued_at)),
            Fact("Due", moment(record.due_at)),
            Fact("Paid on", moment(record.paid_at)),
            Fact(
                "First failed",
                moment(record.failed_at),
                "The grace period starts here, even if the event arrived late.",
            ),
            Fact("Draft deleted", moment(record.deleted_at)),
            Fact("Written off", moment(record.uncollectible_at)),
            Fact("At the provider", link(record.hosted_invoice_url, "Open") if record.hosted_invoice_url else NOTHING),
            Fact("Customer", code(record.customer_external_id)),
            Fact("Subscription", code(record.subscription_external_id)),
            *self._origin(record),
        ]


class ProviderCustomerAdmin(_MirroredAdmin[ProviderCustomer]):
    """Customers at Stripe and Orb."""

    icon = "badge"
    heading = "Provider customers"
    about = "Customers in Stripe and Orb, and the organization that each belongs to."
    list_display = ("named", "status_badge", "tenant", "mail", "checkout", "latest_news")
    list_filter = (
        choice_filter("status", "status", lambda: CustomerStatus.choices),
        choice_filter("provider", "provider", lambda: Provider.choices),
        organization_filter("organization_id"),
    )

    @display(description="Customer")
    def named(self, record: ProviderCustomer) -> SafeString:
        return title_and_slug(record.get_provider_display(), record.external_id)

    @display(description="E-mail")
    def mail(self, record: ProviderCustomer) -> SafeString:
        return short(record.email, 40)

    @display(description="Checkout completed")
    def checkout(self, record: ProviderCustomer) -> SafeString:
        return moment(record.checkout_completed_at or record.free_checkout_at)

    def title_of(self, record: ProviderCustomer) -> str:
        return f"{record.get_provider_display()} customer {record.external_id}"

    def facts(self, record: ProviderCustomer) -> list[Fact]:
        return [
            Fact("Organization", self.tenant(record)),
            Fact("E-mail", record.email or NOTHING),
            Fact("Checkout paid", moment(record.checkout_completed_at)),
            Fact("Checkout without a payment", moment(record.free_checkout_at)),
            *self._origin(record),
        ]

    def panels(self, request: HttpRequest, record: ProviderCustomer) -> list[Panel]:
        invoices = ProviderInvoice.objects.filter(
            provider=record.provider, customer_external_id=record.external_id
        ).order_by("-issued_at", "pk")
        return [invoices_panel(invoices, list_url(ProviderInvoice, provider=record.provider))]


class ProviderDisputeAdmin(_MirroredAdmin[ProviderDispute]):
    """Charges that a payer's bank took back."""

    icon = "gavel"
    heading = "Disputes"
    about = "Charges that payers dispute at their bank. Answer them at the provider, before the evidence is due."
    list_display = ("named", "status_badge", "tenant", "amount", "due", "latest_news")
    list_filter = (
        choice_filter("provider", "provider", lambda: Provider.choices),
        organization_filter("organization_id"),
    )

    @display(description="Dispute")
    def named(self, record: ProviderDispute) -> SafeString:
        return title_and_slug(_words(record.reason) or "No reason given", record.external_id)

    @display(description="Status")
    def status_badge(self, record: ProviderDispute) -> SafeString:
        tone: Tone = "neutral" if record.closed_at else "warn"
        return badge(_words(record.status) or "Unknown", tone)

    @display(description="Amount")
    def amount(self, record: ProviderDispute) -> str:
        return money(record.amount_minor, record.currency)

    @display(description="Evidence due")
    def due(self, record: ProviderDispute) -> SafeString:
        return moment(record.evidence_due_at)

    def title_of(self, record: ProviderDispute) -> str:
        return f"Dispute {record.external_id}"

    def facts(self, record: ProviderDispute) -> list[Fact]:
        return [
            Fact("Organization", self.tenant(record)),
            Fact("Amount", self.amount(record)),
            Fact("Reason", _words(record.reason) or NOTHING, "The provider's own word."),
            Fact("Evidence due", self.due(record)),
            Fact("Money withdrawn", moment(record.funds_withdrawn_at)),
            Fact("Money returned", moment(record.funds_reinstated_at)),
            Fact("Closed", moment(record.closed_at)),
            Fact("Charge", code(record.charge_external_id)),
            Fact("Customer", code(record.customer_external_id)),
            *self._origin(record),
        ]


def _words(code_word: str) -> str:
    return code_word.replace("_", " ").capitalize()
