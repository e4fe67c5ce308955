"""How pages show the invoices of payment providers."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from apps.backoffice.cells import badge, day, link, page_url
from apps.backoffice.panels import Panel, panel_of
from apps.core.amounts import format_minor
from apps.payments.enums import CustomerStatus, InvoiceStatus
from apps.payments.models import ProviderInvoice

STATUS_TONES: dict[str, Any] = {
    InvoiceStatus.DRAFT: "neutral",
    InvoiceStatus.OPEN: "warn",
    InvoiceStatus.PAID: "good",
    InvoiceStatus.UNCOLLECTIBLE: "bad",
    InvoiceStatus.VOID: "neutral",
    CustomerStatus.ACTIVE: "good",
    CustomerStatus.DELETED: "bad",
}


def invoice_badge(invoice: ProviderInvoice) -> SafeString:
    return badge(invoice.get_status_display(), STATUS_TONES[invoice.status])


def money(minor: int, currency: str) -> str:
    """Format minor units; without a currency if the provider did not send one."""
    return format_minor(minor, currency) if currency else f"{minor:,}"


def invoices_panel(invoices: QuerySet[ProviderInvoice], full_list: str) -> Panel:
    return panel_of(
        "Invoices",
        ("Invoice", "Status", "Total", "Issued"),
        invoices,
        lambda one: (
            link(page_url(one), one.number or one.external_id),
            invoice_badge(one),
            _total_and_open(one),
            day(one.issued_at),
        ),
        empty="No invoices yet.",
        link=full_list,
        icon="receipt_long",
    )


def _total_and_open(invoice: ProviderInvoice) -> str:
    """The total; for a partly paid invoice also the open amount. No line break before the currency."""
    total = money(invoice.total_minor, invoice.currency).replace(" ", "\u00a0")
    if invoice.amount_remaining_minor in {0, invoice.total_minor}:
        return total
    return f"{total}, {money(invoice.amount_remaining_minor, invoice.currency)} open"
