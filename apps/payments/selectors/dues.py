"""What an organization owes, for the pages that ask for it."""

from __future__ import annotations

from django.db.models import F, QuerySet

from apps.core.amounts import format_minor
from apps.core.ids import OrganizationId
from apps.payments.enums import InvoiceStatus
from apps.payments.models import ProviderInvoice
from apps.tenants.pages import Dues

_MOST = 100


def owed_invoices(organization_id: OrganizationId) -> QuerySet[ProviderInvoice]:
    """The invoices that ask for money, the one that is due first at the front."""
    rows = ProviderInvoice.objects.filter(
        organization=organization_id,
        status=InvoiceStatus.OPEN,
        amount_remaining_minor__gt=0,
        forgiven_at__isnull=True,
        deleted_at__isnull=True,
    )
    return rows.order_by(F("due_at").asc(nulls_last=True), "issued_at", "pk")


def organization_dues(organization_id: OrganizationId) -> Dues | None:
    """The sum of what is owed in each currency, and where the first due invoice is paid; None where nothing is."""
    rows = list(owed_invoices(organization_id)[:_MOST])
    if not rows:
        return None
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + row.amount_remaining_minor
    first = next((row for row in rows if provider_link(row.hosted_invoice_url)), rows[0])
    return Dues(
        amounts=[show_money(sums[currency], currency) for currency in sorted(sums)],
        count=len(rows),
        pay_amount=show_money(first.amount_remaining_minor, first.currency),
        pay_url=provider_link(first.hosted_invoice_url),
    )


def show_money(minor: int, currency: str) -> str:
    """The amount for people: "1,234.56 EUR"; the bare number where the currency is none that we know."""
    return format_minor(minor, currency, is_grouped=True) if currency else f"{minor:,}"


def provider_link(address: str) -> str:
    """Checked again on output: a link that is not https is not shown."""
    return address if address.startswith("https://") else ""
