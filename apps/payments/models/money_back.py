"""Mirrored disputes and refunds."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.payments.models.mirror import MirroredObject


class ProviderDispute(MirroredObject):
    """A charge that the payer's bank took back. `status` and `reason` are the provider's own words."""

    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=80, blank=True, default="")
    charge_external_id = models.CharField(max_length=255, blank=True, default="")
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True, default="")
    evidence_due_at = models.DateTimeField(null=True, blank=True)

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex=r"^[A-Z]{3}$"), name="providerdispute_currency_is_iso"
            ),
        ]


class ProviderRefund(MirroredObject):
    """What was given back of one charge, in all; `external_id` is the charge's. `status` is partial or full."""

    status = models.CharField(max_length=40)
    charge_external_id = models.CharField(max_length=255, blank=True, default="")
    amount_minor = models.BigIntegerField(default=0, help_text="Given back so far.")
    charged_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True, default="")

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            models.CheckConstraint(
                condition=Q(currency="") | Q(currency__regex=r"^[A-Z]{3}$"), name="providerrefund_currency_is_iso"
            ),
        ]
