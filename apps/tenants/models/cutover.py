"""Who decides on credits for which organization, how that changed, and what the checks before it said (spec 02)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.tenants.enums import BillingMode, BillingModeSource, CutoverRunStatus
from apps.tenants.models.organizations import Organization
from apps.tenants.models.products import Product


class BillingModeException(models.Model):
    """One organization's own mode with a product; it stands before percentage and product."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="billing_mode_exceptions", db_index=False
    )
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="billing_mode_exceptions")
    mode = models.CharField(max_length=16, choices=BillingMode.choices)
    set_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "organization"], name="billing_mode_exception_unique"),
            one_of("mode", BillingMode, "billing_mode_exception_known"),
        ]

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.mode}"


class BillingModeChange(models.Model):
    """One change of a mode, for the history and the way back. Append-only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="billing_mode_changes", db_index=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    scope = models.CharField(max_length=16, choices=BillingModeSource.choices)
    before = models.CharField(max_length=16, choices=BillingMode.choices, blank=True, default="")
    after = models.CharField(max_length=16, choices=BillingMode.choices, blank=True, default="")
    percentage_before = models.PositiveSmallIntegerField(default=0)
    percentage_after = models.PositiveSmallIntegerField(default=0)
    without_check = models.BooleanField(default=False)
    reason = FreeTextField()
    changed_by = models.CharField(max_length=254)
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("scope", BillingModeSource, "billing_mode_change_scope_known"),
            one_of("before", BillingMode, "billing_mode_change_before_known", also=[""]),
            one_of("after", BillingMode, "billing_mode_change_after_known", also=[""]),
            models.CheckConstraint(
                condition=Q(scope=BillingModeSource.ORGANIZATION, organization__isnull=False)
                | (~Q(scope=BillingModeSource.ORGANIZATION) & Q(organization__isnull=True)),
                name="billing_mode_change_names_organization",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["product", "-changed_at"], name="billing_mode_change_latest")]
        triggers: ClassVar = [
            pgtrigger.Protect(name="billing_mode_change_is_fixed", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.before or 'none'} to {self.after or 'none'}"


class CutoverCheck(models.Model):
    """One cutover check of a product: its lines, and what shadow mode had shown until then."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="cutover_checks", db_index=False)
    has_passed = models.BooleanField()
    lines = models.JSONField(help_text="Each with name, outcome (passed, failed, nothing) and detail.")
    days = models.PositiveIntegerField()
    compared = models.PositiveBigIntegerField()
    agreed = models.PositiveBigIntegerField()
    unexplained_amounts = models.PositiveIntegerField()
    base_url = models.CharField(max_length=500)
    run_by = models.CharField(max_length=254)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(agreed__lte=models.F("compared")), name="cutover_check_agreed_of_compared"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["product", "-finished_at"], name="cutover_check_latest")]

    def __str__(self) -> str:
        return f"{'passed' if self.has_passed else 'failed'} at {self.finished_at:%Y-%m-%d %H:%M}"


class CutoverRun(models.Model):
    """A cutover check that staff have asked for, from its request to its result.

    `lines` are those that the worker has come to, as in `CutoverCheck`; a worker that dies leaves the run to another,
    which begins anew.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="cutover_runs", db_index=False)
    check_made = models.ForeignKey(
        CutoverCheck, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    status = models.CharField(max_length=16, choices=CutoverRunStatus.choices)
    lines = models.JSONField(default=list, blank=True)
    base_url = models.CharField(max_length=500)
    error = models.TextField(blank=True, default="")
    reason = FreeTextField(blank=True, default="")
    requested_by = models.CharField(max_length=254)
    claims = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "cutover check"
        constraints: ClassVar = [
            one_of("status", CutoverRunStatus, "cutover_run_status_known"),
            models.UniqueConstraint(
                fields=["product"],
                condition=Q(status__in=[CutoverRunStatus.QUEUED.value, CutoverRunStatus.RUNNING.value]),
                name="cutover_run_one_at_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["product", "-created_at"], name="cutover_run_of_product"),
            models.Index(fields=["-created_at", "id"], name="cutover_run_newest"),
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status__in=[CutoverRunStatus.QUEUED.value, CutoverRunStatus.RUNNING.value]),
                name="cutover_run_lease",
            ),
        ]

    def __str__(self) -> str:
        return f"cutover check at {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("cutover_run", self.pk)
