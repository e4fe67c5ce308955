"""What an organization owes, for the pages that ask for it."""

from __future__ import annotations

from django.db.models import F, QuerySet

from apps.core.amounts import format_minor
from apps.core.ids import OrganizationId
from apps.payments.enums import InvoiceStatus, ProviderSubscriptionStatus
from apps.payments.models import ProviderInvoice, ProviderSubscription
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.tenants.closing_rules import OpenItem
from apps.tenants.pages import Dues

_MOST, _MOST_NAMED = 100, 20
_IDLE = (ProviderSubscriptionStatus.ENDED, ProviderSubscriptionStatus.INCOMPLETE)


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


def unpaid_invoices(organization_id: OrganizationId) -> list[OpenItem]:
    """What an organization that is to be closed owes still, the first due first; at most 20, and that there are more.

    Its payment config stays locked, so that no news of an invoice comes meanwhile.
    """
    payment_config_for_update(organization_id)
    rows = list(owed_invoices(organization_id)[: _MOST_NAMED + 1])
    items = [
        OpenItem("open_invoice", f"the invoice {_describe(row)}", f"invoice:{row.external_id}")
        for row in rows[:_MOST_NAMED]
    ]
    more = [OpenItem("open_invoice", "and more invoices", f"organization:{organization_id}")]
    return items + more if len(rows) > _MOST_NAMED else items


def charging_subscriptions(organization_id: OrganizationId) -> QuerySet[ProviderSubscription]:
    """What a provider goes on charging until somebody ends it there, whatever we close here."""
    rows = ProviderSubscription.objects.filter(organization=organization_id)
    return rows.exclude(status__in=_IDLE).order_by("provider", "external_id")


def is_idle(subscription: ProviderSubscription) -> bool:
    """Whether the provider charges nothing for it: it is over, or has never begun."""
    return subscription.status in _IDLE


def _describe(row: ProviderInvoice) -> str:
    due = f", due on {row.due_at.day} {row.due_at:%B %Y}" if row.due_at else ""
    return f"{row.number or row.external_id} of {show_money(row.amount_remaining_minor, row.currency)}{due}"


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
