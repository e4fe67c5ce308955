"""Reconciliation: its runs, and what a product reported until it is merged (spec 02, Membership authority)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.enums import MembershipRole
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.tenants.enums import ReconciliationStage, ReconciliationStatus, ReportSource, StopReason
from apps.tenants.models.products import Product

# In which a worker, or the product, still has something to do.
ACTIVE = (ReconciliationStatus.QUEUED, ReconciliationStatus.RUNNING)
OVER = (
    ReconciliationStatus.SUCCEEDED,
    ReconciliationStatus.FAILED,
    ReconciliationStatus.ABORTED,
    ReconciliationStatus.DISCARDED,
)


class ReconciliationRun(models.Model):
    """One comparison of a product's members with ours, which a worker that dies leaves for another to go on with.

    `last_*` is the last row read, `merged_*` the last pair that was judged or merged: each is written with its effect.
    `counts` are by class of drift, with `members`, `agreed`, `imported` and `left_out`. While `is_staged`, rows of the
    report may still be stored.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="reconciliation_runs", db_index=False)
    source = models.CharField(max_length=16, choices=ReportSource.choices)
    snapshot_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=ReconciliationStatus.choices)
    stage = models.CharField(max_length=16, choices=ReconciliationStage.choices, default=ReconciliationStage.READ)
    claims = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    export_cursor = models.CharField(max_length=2000, blank=True, default="")
    pages = models.PositiveIntegerField(default=0)
    received = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True, blank=True)
    last_organization_id = models.UUIDField(null=True, blank=True)
    last_user_id = models.UUIDField(null=True, blank=True)
    is_unsorted = models.BooleanField(default=False)
    merged_organization_id = models.UUIDField(null=True, blank=True)
    merged_user_id = models.UUIDField(null=True, blank=True)
    is_staged = models.BooleanField(default=True)
    counts = models.JSONField(default=dict, blank=True)
    stop_reason = models.CharField(max_length=16, choices=StopReason.choices, blank=True, default="")
    error = models.TextField(blank=True, default="")
    requested_by = models.CharField(max_length=254)
    decided_by = models.CharField(max_length=254, blank=True, default="")
    decision_reason = FreeTextField(blank=True, default="")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    merge_began_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("source", ReportSource, "reconciliation_source_known"),
            one_of("status", ReconciliationStatus, "reconciliation_status_known"),
            one_of("stage", ReconciliationStage, "reconciliation_stage_known"),
            one_of("stop_reason", StopReason, "reconciliation_stop_reason_known", also=[""]),
            models.CheckConstraint(
                condition=Q(source=ReportSource.SNAPSHOT, snapshot_id__isnull=False)
                | Q(source=ReportSource.EXPORT, snapshot_id__isnull=True),
                name="reconciliation_snapshot_iff_pushed",
            ),
            models.CheckConstraint(
                condition=~Q(status=ReconciliationStatus.WAITING) | ~Q(stop_reason=""),
                name="reconciliation_waits_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in OVER], finished_at__isnull=False)
                | (~Q(status__in=[status.value for status in OVER]) & Q(finished_at__isnull=True)),
                name="reconciliation_over_iff_finished",
            ),
            models.UniqueConstraint(fields=["product", "snapshot_id"], name="reconciliation_snapshot_unique"),
            # Two merges of one product at once would drop each other's drift.
            models.UniqueConstraint(
                fields=["product"],
                condition=Q(status=ReconciliationStatus.RUNNING),
                name="reconciliation_one_at_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["product", "-created_at"], name="reconciliation_of_product"),
            models.Index(fields=["-created_at", "id"], name="reconciliation_newest"),
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status__in=[status.value for status in ACTIVE]),
                name="reconciliation_lease",
            ),
            models.Index(fields=["status", "created_at"], condition=Q(is_staged=True), name="reconciliation_staged"),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()} at {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("reconciliation_run", self.pk)


class ReportedMember(models.Model):
    """One row of a report, as the product sent it, until the run is over."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="members", db_index=False)
    organization_id = models.UUIDField()
    user_id = models.UUIDField()
    role = models.CharField(max_length=16, choices=MembershipRole.choices)
    changed_at = models.DateTimeField(null=True, blank=True)
    email = models.CharField(max_length=254, blank=True, default="")

    class Meta:
        constraints: ClassVar = [one_of("role", MembershipRole, "reported_member_role_known")]
        indexes: ClassVar = [
            models.Index(fields=["run", "organization_id", "user_id"], name="reported_member_in_order")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id} as {self.role}"


class SnapshotChunk(models.Model):
    """One chunk of a pushed snapshot. The digest tells the same chunk from another one with its number."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    sequence = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)
    members = models.PositiveIntegerField()
    is_last = models.BooleanField()
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "sequence"], name="snapshot_chunk_unique"),
            models.UniqueConstraint(fields=["run"], condition=Q(is_last=True), name="snapshot_chunk_one_last"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="snapshot_chunk_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"chunk {self.sequence}"
