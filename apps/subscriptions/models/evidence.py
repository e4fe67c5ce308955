"""What providers claimed while somebody else decided (spec 03, Mutation; spec 04, manual)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from apps.core.constraints import one_of
from apps.core.models.protection import append_only
from apps.subscriptions.enums import EvidenceSubject, Provider
from apps.tenants.models import Organization, Workspace


class ProviderEvidence(models.Model):
    """A provider's news that changed nothing. `claimed_at` is the provider's own time, `received_at` ours."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=16, choices=Provider.choices)
    subject = models.CharField(max_length=32, choices=EvidenceSubject.choices)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    object_id = models.CharField(max_length=255)
    verb = models.CharField(max_length=40)
    claimed_state = models.CharField(max_length=40)
    claimed_at = models.DateTimeField()
    why_kept = models.TextField(help_text="Why it changed nothing.")
    received_at = models.DateTimeField()
    request_id = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "provider evidence"
        constraints: ClassVar = [
            one_of("provider", Provider, "provider_evidence_provider_known"),
            one_of("subject", EvidenceSubject, "provider_evidence_subject_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "-claimed_at"], name="provider_evidence_workspace"),
            models.Index(fields=["organization", "-claimed_at"], name="provider_evidence_organization"),
        ]
        triggers: ClassVar = append_only("provider_evidence")

    def __str__(self) -> str:
        return f"{self.provider} says {self.claimed_state} of {self.object_id}"
