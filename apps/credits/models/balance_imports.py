"""Balances that products bring over: what each has told, and the imports of their files (spec 02, Cutover)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.credits.enums import AccountType, BalanceImportStatus
from apps.tenants.models import Product

ACTIVE = (BalanceImportStatus.QUEUED, BalanceImportStatus.RUNNING)
OVER = (BalanceImportStatus.SUCCEEDED, BalanceImportStatus.FAILED, BalanceImportStatus.DISCARDED)


class BalanceImport(models.Model):
    """One import of a file, which a worker that dies leaves for another to go on with.

    `done` is how many of the file's lines are behind it: each is written with its effect. `counts` say how many were
    `granted`, `adjusted` and `unchanged`; `totals` are micro-credits, and may be more than a BIGINT holds.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="balance_imports", db_index=False)
    status = models.CharField(max_length=16, choices=BalanceImportStatus.choices)
    file_name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    is_update = models.BooleanField(help_text="Whether another balance than the one before is booked, not refused.")
    lines = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    totals = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True, default="")
    reason = FreeTextField(blank=True, default="")
    requested_by = models.CharField(max_length=254)
    claims = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("status", BalanceImportStatus, "balance_import_status_known"),
            models.CheckConstraint(condition=Q(done__lte=models.F("lines")), name="balance_import_done_of_lines"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in OVER], finished_at__isnull=False)
                | (~Q(status__in=[status.value for status in OVER]) & Q(finished_at__isnull=True)),
                name="balance_import_over_iff_finished",
            ),
            # A second one could book what the first has judged.
            models.UniqueConstraint(
                fields=["product"],
                condition=Q(status__in=[status.value for status in ACTIVE]),
                name="balance_import_one_at_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["product", "-created_at"], name="balance_import_of_product"),
            models.Index(fields=["-created_at", "id"], name="balance_import_newest"),
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status__in=[status.value for status in ACTIVE]),
                name="balance_import_lease",
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(status=BalanceImportStatus.CHECKED.value),
                name="balance_import_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} at {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("balance_import", self.pk)


class BalanceImportFile(models.Model):
    """The file of an import that is not over; apart, so that whoever reads the import need not read it."""

    record = models.OneToOneField(BalanceImport, on_delete=models.CASCADE, primary_key=True, related_name="file")
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"file of {self.record_id}"


class ImportedBalance(models.Model):
    """What a product last told of one of its balances, and so what is booked here of it; micro-credits.

    `account_id` is the organization's or the user's, as the file names it. `revision` counts what was booked.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    external_ref = models.CharField(max_length=150)
    account_type = models.CharField(max_length=16, choices=AccountType.choices)
    account_id = models.UUIDField()
    balance = models.BigIntegerField()
    revision = models.PositiveIntegerField(default=1)
    imported_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "external_ref"], name="imported_balance_unique"),
            one_of("account_type", AccountType, "imported_balance_account_type_known"),
        ]
        triggers: ClassVar = [
            pgtrigger.ReadOnly(
                name="imported_balance_place_is_fixed",
                fields=["product", "external_ref", "account_type", "account_id", "imported_at"],
            ),
            pgtrigger.Protect(name="imported_balance_is_not_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.external_ref} of {self.product_id}"
