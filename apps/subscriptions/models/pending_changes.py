"""A scheduled change: written down, flagged when due, applied by nobody but a person or a provider (spec 03)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.subscriptions.enums import PendingChangeKind, PendingChangeStatus
from apps.subscriptions.models.plans import Plan
from apps.tenants.models import Workspace


class PendingChange(models.Model):
    """At most one open row a workspace. Who and why are kept as they were when it was written and settled."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="pending_changes")
    kind = models.CharField(max_length=16, choices=PendingChangeKind.choices)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    due_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=PendingChangeStatus.choices, default=PendingChangeStatus.OPEN)
    recorded_by = models.CharField(max_length=254)
    reason = FreeTextField()
    recorded_at = models.DateTimeField()
    settled_by = models.CharField(max_length=254, blank=True, default="")
    settled_reason = FreeTextField(blank=True, default="")
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("kind", PendingChangeKind, "pending_change_kind_known"),
            one_of("status", PendingChangeStatus, "pending_change_status_known"),
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(status=PendingChangeStatus.OPEN), name="pending_change_one_open"
            ),
            models.CheckConstraint(
                condition=Q(kind=PendingChangeKind.CHANGE_PLAN, plan__isnull=False)
                | (~Q(kind=PendingChangeKind.CHANGE_PLAN) & Q(plan__isnull=True)),
                name="pending_change_plan_iff_changed",
            ),
            models.CheckConstraint(
                condition=Q(status=PendingChangeStatus.OPEN, settled_at__isnull=True)
                | (~Q(status=PendingChangeStatus.OPEN) & Q(settled_at__isnull=False)),
                name="pending_change_settled_iff_not_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(status=PendingChangeStatus.OPEN), name="pending_change_due")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of workspace {self.workspace_id} on {self.due_at:%Y-%m-%d}"
