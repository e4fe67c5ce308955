"""Which allowance of a plan was granted: one for each start, whoever comes first (spec 05)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.models.protection import append_only
from apps.credits.models.accounts import CreditGrant
from apps.subscriptions.models import WorkspaceSubscription


class AllowanceGrant(models.Model):
    """The credits that a workspace's plan gave for one window. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subscription = models.ForeignKey(
        WorkspaceSubscription, on_delete=models.PROTECT, related_name="allowance_grants", db_index=False
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    grant = models.OneToOneField(CreditGrant, on_delete=models.PROTECT, related_name="allowance")
    carried_over = models.BigIntegerField(default=0, help_text="How much of the grant ended unused before.")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subscription", "starts_at"], name="allowance_grant_once_a_start"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="allowance_grant_ends_after_start"),
            models.CheckConstraint(condition=Q(carried_over__gte=0), name="allowance_grant_carried_over_possible"),
        ]
        triggers: ClassVar = append_only("allowance_grant")

    def __str__(self) -> str:
        return f"{self.subscription_id} from {self.starts_at:%Y-%m-%d}"
