"""Impersonations: who of the staff looked at an organization's pages as whom, why, and for how long (spec 08)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.tenants.enums import ImpersonationEnd
from apps.tenants.impersonation_rules import LASTS
from apps.tenants.models.organizations import Organization
from apps.tenants.models.users import User


class Impersonation(models.Model):
    """One look, by one member of staff, as one member of one organization. Moments are real time, as sessions have it.

    `last_view_hash` is the SHA-256 of the address that was viewed last, query included.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    staff = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    member = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = FreeTextField()
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=16, choices=ImpersonationEnd.choices, blank=True, default="")
    page_views = models.PositiveIntegerField(default=0)
    last_viewed_at = models.DateTimeField(null=True, blank=True)
    last_view_hash = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints: ClassVar = [
            one_of("end", ImpersonationEnd, "impersonation_end_known", also=[""]),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("started_at"), ends_at__lte=F("started_at") + LASTS),
                name="impersonation_lasts_an_hour",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end="")
                | (Q(ended_at__isnull=False, ended_at__gte=F("started_at")) & ~Q(end="")),
                name="impersonation_end_has_moment",
            ),
            models.CheckConstraint(condition=~Q(staff=F("member")), name="impersonation_of_somebody_else"),
            models.CheckConstraint(condition=~Q(reason=""), name="impersonation_has_reason"),
            models.UniqueConstraint(
                fields=["staff"], condition=Q(ended_at__isnull=True), name="one_open_impersonation_of_staff"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-started_at", "id"], name="impersonation_by_start"),
            models.Index(fields=["organization", "-started_at"], name="impersonation_organization"),
            models.Index(fields=["staff", "-started_at"], name="impersonation_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.staff} as {self.member}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("impersonation", self.pk, self.organization_id)
