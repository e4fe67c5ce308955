"""The outbox: calls to the outside, stored in the transaction of their cause (spec 04, Outbox)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.enums import ActorKind
from apps.core.ids import AuditTarget
from apps.core.states import OutboxStatus


class OutboxItem(models.Model):
    """One call to make. `key` is our idempotency key for the provider: stored before the call, the same at each try.

    `dismissed_at`: a parked call that a person has given up. It stays parked, so that the former release reads it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    payload = models.JSONField()
    organization_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=OutboxStatus.choices, default=OutboxStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_label = models.CharField(max_length=254)
    request_id = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    dismissed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "key"], name="outbox_item_unique"),
            one_of("status", OutboxStatus, "outbox_item_status_known"),
            one_of("actor_kind", ActorKind, "outbox_item_actor_kind_known"),
            models.CheckConstraint(condition=~Q(kind="") & ~Q(key=""), name="outbox_item_has_key"),
            models.CheckConstraint(
                condition=Q(status=OutboxStatus.IN_PROGRESS, lease_expires_at__isnull=False)
                | (~Q(status=OutboxStatus.IN_PROGRESS) & Q(lease_expires_at__isnull=True)),
                name="outbox_item_lease_iff_in_progress",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[OutboxStatus.DONE, OutboxStatus.PARKED, OutboxStatus.SUPPRESSED],
                    finished_at__isnull=False,
                )
                | Q(status__in=[OutboxStatus.PENDING, OutboxStatus.IN_PROGRESS], finished_at__isnull=True),
                name="outbox_item_finished_iff_over",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-created_at"], name="outbox_item_created"),
            models.Index(fields=["kind", "-created_at"], name="outbox_item_of_kind"),
            # The mails of one customer, for its timeline.
            models.Index(fields=["organization_id", "kind", "-created_at"], name="outbox_item_of_tenant"),
            models.Index(fields=["organization_id", "-created_at"], name="outbox_item_by_tenant"),
            models.Index(
                fields=["next_attempt_at"], condition=Q(status=OutboxStatus.PENDING), name="outbox_item_pending"
            ),
            models.Index(
                fields=["lease_expires_at"], condition=Q(status=OutboxStatus.IN_PROGRESS), name="outbox_item_leased"
            ),
            models.Index(fields=["status", "-created_at"], name="outbox_item_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    @property
    def is_dismissed(self) -> bool:
        return self.status == OutboxStatus.PARKED and self.dismissed_at is not None

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("outbox_item", self.pk, self.organization_id)
