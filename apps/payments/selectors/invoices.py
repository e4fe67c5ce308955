"""Invoices for their tenant to read."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.core.ids import OrganizationId
from apps.payments.enums import InvoiceStatus
from apps.payments.models import ProviderInvoice


def invoices_of(organization_id: OrganizationId) -> QuerySet[ProviderInvoice]:
    """The organization's invoices, newest first; drafts are the provider's own affair."""
    issued = ProviderInvoice.objects.filter(organization=organization_id).exclude(status=InvoiceStatus.DRAFT)
    return issued.order_by("-issued_at", "pk")


def is_overdue(invoice: ProviderInvoice) -> bool:
    """Whether a payment of an open invoice has failed."""
    return invoice.status == InvoiceStatus.OPEN and invoice.failed_at is not None
