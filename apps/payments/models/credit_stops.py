"""Up to where an account's entries were tracked, and whose connectors stop without credits (spec 04, Auto-disable)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.tenants.models import Organization


class TrackingPosition(models.Model):
    """Up to which entry of an organization's account grants and exhaustion were looked for."""

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="tracking_position"
    )
    last_sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(last_sequence__gte=0), name="tracking_position_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} up to {self.last_sequence}"


class CreditStop(models.Model):
    """An organization that wants its connectors stopped while it has no credits; no row: it does not.

    `stopped_at` is set while they are stopped for that.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="credit_stop"
    )
    stopped_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"credit stop of {self.organization_id}"
