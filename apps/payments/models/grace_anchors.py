"""What a running grace period, or the disabling after it, rests on (spec 04, Grace period)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.tenants.models import Organization


class GraceAnchor(models.Model):
    """One row an organization whose unpaid invoices count against it; gone when they are settled.

    `anchored_at` is when the payment of the earliest unpaid invoice failed; `ends_at` the end that follows from it,
    without what staff added. Staff who start a grace period by hand leave no anchor.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="grace_anchor"
    )
    anchored_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("anchored_at")), name="grace_anchor_ends_after")
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} since {self.anchored_at:%Y-%m-%d %H:%M}"
