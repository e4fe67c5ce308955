"""The Google sheet that an organization's daily reports are written to (spec 07, Daily report)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.connectors.models import Connector
from apps.core.ids import AuditTarget
from apps.tenants.models import Organization


class ReportSheet(models.Model):
    """One sheet an organization. `problem` is why the last row could not be written, in words; empty where it could.

    `missed_from` is the earliest day that was not written meanwhile; its reports are written once a row goes through.
    `busy_until`: one row is written at a time, so that no day gets two; a worker that died over it lets go then.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="report_sheet")
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="+")
    sheet = models.CharField(max_length=100)
    problem = models.CharField(max_length=500, blank=True, default="")
    missed_from = models.DateField(null=True, blank=True)
    written_day = models.DateField(null=True, blank=True, help_text="The newest day that stands in the sheet.")
    written_at = models.DateTimeField(null=True, blank=True)
    busy_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(sheet=""), name="report_sheet_named")]

    def __str__(self) -> str:
        return self.sheet

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("report_sheet", self.pk, self.organization_id)
