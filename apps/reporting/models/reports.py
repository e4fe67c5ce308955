"""The daily reports, when the next one of each scope is due, and who gets them by mail (spec 07, Daily report).

`organization` is null for the platform's.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.core.models.protection import append_only
from apps.reporting.rules.recipients import RecipientStatus
from apps.tenants.models import Organization, User


class DailyReport(models.Model):
    """One report of one local day, as it was sent. Never changed: a person may add a revision.

    `document` is what `apps.reporting.rules.document` reads. The windows of a scope's days follow one another without
    a gap; each revision of a day has the day's window.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="daily_reports", db_index=False
    )
    day = models.DateField()
    revision = models.PositiveIntegerField(default=1)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    document = models.JSONField()
    made_by = models.CharField(max_length=254)
    reason = FreeTextField(blank=True, default="", help_text="Why there is another revision; empty for the first.")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "day", "revision"], nulls_distinct=False, name="daily_report_unique"
            ),
            models.CheckConstraint(condition=Q(window_end__gte=F("window_start")), name="daily_report_window_possible"),
            models.CheckConstraint(
                condition=Q(revision=1, reason="") | (Q(revision__gt=1) & ~Q(reason="")),
                name="daily_report_revision_has_reason",
            ),
        ]
        triggers: ClassVar = append_only("daily_report")

    def __str__(self) -> str:
        return f"report of {self.organization_id or 'the platform'} for {self.day}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("daily_report", self.pk, self.organization_id)


class RepairedDay(models.Model):
    """A day of which a rollup was wrong and has been repaired: a report of it that was sent is to be made anew.

    `day` is one of the organization's; `is_for_platform` concerns the platform's report of that date. The revision
    takes the rows that it has followed away with it, and a repair only adds some.
    """

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    is_for_platform = models.BooleanField(default=False)
    noted_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["day", "organization"], name="repaired_day_of_scope")]

    def __str__(self) -> str:
        return f"{self.organization_id} on {self.day}"


class ReportSchedule(models.Model):
    """The next day that a scope's report is due for. Whoever makes the report holds this row.

    `due_at` is the end of that day in `zone` and an hour; it is computed again when the zone changes.
    """

    id = models.BigAutoField(primary_key=True)
    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="report_schedule"
    )
    zone = models.CharField(max_length=64)
    next_day = models.DateField()
    due_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization"], nulls_distinct=False, name="report_schedule_unique"),
            models.CheckConstraint(condition=~Q(zone=""), name="report_schedule_has_zone"),
        ]
        indexes: ClassVar = [models.Index(fields=["due_at"], name="report_schedule_due")]

    def __str__(self) -> str:
        return f"{self.organization_id or 'the platform'}: {self.next_day}"


class ReportRecipient(models.Model):
    """One address that gets a scope's reports. `user` is the member or the colleague that it belongs to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="report_recipients", db_index=False
    )
    email = models.EmailField(max_length=254)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=16, choices=RecipientStatus.choices)
    note = models.CharField(max_length=200, blank=True, default="", help_text="Why it is paused.")
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When the mail that asks to confirm was written.")
    changed_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "email"], nulls_distinct=False, name="report_recipient_unique"
            ),
            one_of("status", RecipientStatus, "report_recipient_status_known"),
            models.CheckConstraint(
                condition=Q(organization__isnull=False) | Q(user__isnull=False), name="report_recipient_staff_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.status})"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("report_recipient", self.pk, self.organization_id)
