"""What staff have decided about a task, and the filters they keep. Tasks are never stored: they are read anew."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.backoffice.enums import TaskKind, TaskState
from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.tenants.models import Organization, User


class SavedFilter(models.Model):
    """The filter of a list that a colleague keeps under a name, for themselves. `query` is that of the address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    page = models.CharField(max_length=80, help_text="The prefix of the names of its routes.")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "page", "name"], name="saved_filter_unique"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(query=""), name="saved_filter_says_something"),
        ]

    def __str__(self) -> str:
        return self.name


class TaskDecision(models.Model):
    """The last decision about one task. It counts for the occurrence that `marker` names: a new one asks anew."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=24, choices=TaskKind.choices)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    subject_id = models.UUIDField()
    marker = models.CharField(max_length=80)
    outcome = models.CharField(max_length=16, choices=TaskState.choices)
    until = models.DateTimeField(null=True, blank=True)
    reason = FreeTextField()
    decided_by = models.CharField(max_length=254)
    decided_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("kind", TaskKind, "task_decision_kind_known"),
            one_of("outcome", TaskState, "task_decision_outcome_known"),
            models.UniqueConstraint(fields=["organization", "kind", "subject_id"], name="task_decision_unique"),
            models.CheckConstraint(
                condition=Q(outcome=TaskState.SNOOZED, until__isnull=False)
                | (~Q(outcome=TaskState.SNOOZED) & Q(until__isnull=True)),
                name="task_decision_until_iff_snoozed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.organization_id}: {self.outcome}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("task", f"{self.kind}:{self.subject_id}", self.organization_id)
