"""Memberships: this system is the authority, products report to it (spec 02, Membership authority)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.constraints import one_of
from apps.core.enums import MembershipRole
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.tenants.enums import DriftClass, DriftResolution, MembershipOrigin, ReportedMembership
from apps.tenants.models.organizations import Organization
from apps.tenants.models.products import Product
from apps.tenants.models.users import User


class Membership(models.Model):
    """One user in one organization, with one role. `role_changed_at` orders news: older news changes nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships", db_index=False)
    role = models.CharField(max_length=16, choices=MembershipRole.choices)
    origin = models.CharField(max_length=16, choices=MembershipOrigin.choices)
    origin_product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    role_changed_at = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_unique"),
            one_of("role", MembershipRole, "membership_role_known"),
            one_of("origin", MembershipOrigin, "membership_origin_known"),
            models.CheckConstraint(
                condition=Q(origin=MembershipOrigin.PRODUCT, origin_product__isnull=False)
                | (~Q(origin=MembershipOrigin.PRODUCT) & Q(origin_product__isnull=True)),
                name="membership_origin_product_iff_product",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["user"], name="membership_user")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id} as {self.role}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("membership", self.pk, self.organization_id)


class MembershipDrift(models.Model):
    """How a product's view of a membership differs from ours, though nothing was changed (spec 02).

    One row a product, person and class, with the latest report, live or of a reconciliation (`run`). It goes when the
    difference goes. A product may report organizations and users that we don't have, so that the two are references
    without a constraint of the database.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="membership_drift", db_constraint=False, db_index=False
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="membership_drift", db_index=False)
    run = models.ForeignKey(
        "tenants.ReconciliationRun", on_delete=models.SET_NULL, null=True, blank=True, related_name="drift"
    )
    drift_class = models.CharField(max_length=32, choices=DriftClass.choices)
    reported = models.CharField(max_length=16, choices=ReportedMembership.choices)
    reported_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when it is so, as the product has it; empty where it does not say."
    )
    reported_email = models.CharField(max_length=254, blank=True, default="", db_default="")
    our_role = models.CharField(
        max_length=16, choices=MembershipRole.choices, blank=True, default="", db_default="", help_text="Ours, if any."
    )
    resolution = models.CharField(max_length=16, choices=DriftResolution.choices, blank=True, default="", db_default="")
    resolution_reason = FreeTextField(blank=True, default="", db_default="")
    resolved_by = models.CharField(max_length=254, blank=True, default="", db_default="")
    resolved_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "membership drift"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "user", "product", "drift_class"], name="membership_drift_unique"
            ),
            one_of("drift_class", DriftClass, "membership_drift_class_known"),
            one_of("reported", ReportedMembership, "membership_drift_reported_known"),
            one_of("our_role", MembershipRole, "membership_drift_our_role_known", also=[""]),
            one_of("resolution", DriftResolution, "membership_drift_resolution_known", also=[""]),
            models.CheckConstraint(
                condition=Q(resolution="", resolved_at__isnull=True)
                | (~Q(resolution="") & ~Q(resolution_reason="") & Q(resolved_at__isnull=False)),
                name="membership_drift_resolution_has_reason",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["product", "drift_class", "-last_seen_at"], name="membership_drift_of_product"),
            models.Index(fields=["-last_seen_at", "id"], name="membership_drift_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_drift_class_display()}: {self.user_id} in {self.organization_id}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("membership_drift", self.pk, self.organization_id)


class MembershipRemoval(models.Model):
    """When a membership last ended, so that a delayed older report can't bring the member back.

    `reported_by` is the product that reported the end; None: somebody here, or not known.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    removed_at = models.DateTimeField()
    reported_by = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, db_index=False
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_removal_unique")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} left {self.organization_id} at {self.removed_at}"
