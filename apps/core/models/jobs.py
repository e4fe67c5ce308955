"""Job runs: one row a firing, unique on name and slot (spec 08, Celery)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.enums import AuthorizationSource, Role
from apps.core.ids import AuditTarget
from apps.core.states import JobRunStatus, JobTrigger

_OVER = [JobRunStatus.SUCCEEDED, JobRunStatus.FAILED, JobRunStatus.SKIPPED]


class JobRun(models.Model):
    """One firing of one job. Actor, role and source are those of whoever asked for it; it runs as `system`.

    `lease_expires_at` of a queued run is when the sweeper sends it again; of a running one, when its worker counts as
    dead and another takes it over.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64)
    slot = models.CharField(max_length=64, help_text="The scheduled moment in UTC, or `manual:` and a UUID.")
    slot_at = models.DateTimeField(null=True, blank=True, help_text="The scheduled moment; empty for a manual run.")
    status = models.CharField(max_length=16, choices=JobRunStatus.choices, default=JobRunStatus.QUEUED)
    trigger = models.CharField(max_length=16, choices=JobTrigger.choices)
    actor_label = models.CharField(max_length=254)
    role = models.CharField(max_length=32, choices=Role.choices)
    authorization_source = models.CharField(max_length=32, choices=AuthorizationSource.choices)
    request_id = models.CharField(max_length=200)
    organization_id = models.UUIDField(null=True, blank=True, help_text="Empty: every organization.")
    include_demo = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "slot"], name="job_run_unique"),
            one_of("status", JobRunStatus, "job_run_status_known"),
            one_of("trigger", JobTrigger, "job_run_trigger_known"),
            one_of("role", Role, "job_run_role_known"),
            one_of("authorization_source", AuthorizationSource, "job_run_source_known"),
            models.CheckConstraint(
                condition=Q(trigger=JobTrigger.SCHEDULE, slot_at__isnull=False)
                | (~Q(trigger=JobTrigger.SCHEDULE) & Q(slot_at__isnull=True)),
                name="job_run_slot_at_iff_scheduled",
            ),
            models.CheckConstraint(
                condition=Q(status__in=_OVER, finished_at__isnull=False, lease_expires_at__isnull=True)
                | (~Q(status__in=_OVER) & Q(finished_at__isnull=True, lease_expires_at__isnull=False)),
                name="job_run_finished_iff_over",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["name", "-slot_at"], name="job_run_by_slot"),
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status__in=[JobRunStatus.QUEUED, JobRunStatus.RUNNING]),
                name="job_run_open",
            ),
            models.Index(fields=["-created_at"], name="job_run_created"),
            models.Index(fields=["name", "-created_at"], name="job_run_of_name"),
            models.Index(fields=["status", "-created_at"], name="job_run_by_status"),
            models.Index(fields=["trigger", "-created_at"], name="job_run_of_trigger"),
            models.Index(
                fields=["organization_id", "-created_at"],
                condition=Q(organization_id__isnull=False),
                name="job_run_of_tenant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.slot}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("job_run", self.pk, self.organization_id)
