"""Mirrored invoices: what the payment status of an organization is a function of (spec 04)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.payments.enums import InvoiceStatus
from apps.payments.models.mirror import MirroredObject


class ProviderInvoice(MirroredObject):
    """An invoice at a provider. Amounts are in minor units of `currency` (ISO 4217, upper case).

    `failed_at` is the time of the earliest failed payment and `uncollectible_at` of the earliest giving up, of all
    news, whatever the order in which they came: they are facts that later news don't take back.
    """

    status = models.CharField(max_length=16, choices=InvoiceStatus.choices)
    number = models.CharField(max_length=120, blank=True, default="")
    currency = models.CharField(max_length=3, blank=True, default="")
    amount_due_minor = models.BigIntegerField(default=0)
    amount_paid_minor = models.BigIntegerField(default=0)
    amount_remaining_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField(default=0)
    subscription_external_id = models.CharField(max_length=255, blank=True, default="")
    issued_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    uncollectible_at = models.DateTimeField(null=True, blank=True)
    # What a lock has been decided about already: staff who unlock are not overruled by the same invoice.
    lock_settled_at = models.DateTimeField(null=True, blank=True)
    hosted_invoice_url = models.TextField(blank=True, default="")
    invoice_pdf = models.TextField(blank=True, default="")

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            one_of("status", InvoiceStatus, "providerinvoice_status_known"),
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex=r"^[A-Z]{3}$"), name="providerinvoice_currency_is_iso"
            ),
        ]
        indexes: ClassVar = [
            *MirroredObject.Meta.indexes,
            models.Index(fields=["organization", "-issued_at"], name="providerinvoice_latest"),
        ]
