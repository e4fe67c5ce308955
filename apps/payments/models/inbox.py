"""The webhook inbox: every signed event that a provider sent, once (spec 04, Webhooks)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.ids import AuditTarget
from apps.payments.enums import EventSource, WebhookStatus
from apps.subscriptions.enums import Provider

_KEPT = [WebhookStatus.FAILED, WebhookStatus.UNMATCHED]
_WAITING = [WebhookStatus.RECEIVED, WebhookStatus.PROCESSING]


class WebhookEvent(models.Model):
    """One event, stored before it is read; `body` is byte for byte what the provider signed.

    `payload` is the same as JSON, for rows and workers of the former release: empty where a JSON column can't hold it.
    `reason` says by a code why an event was kept and not taken (`WhyKept`, or the code of the error), `field` which
    value can't be read, `charge_external_id` which charge an unmatched dispute waits for.

    `lease_expires_at` of an event in work is when its worker counts as dead; `next_try_at` of a received one is when
    it is due. An unmatched event waits for `customer_external_id` to become known, and is requeued then.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.CharField(max_length=16, choices=Provider.choices)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=120)
    source = models.CharField(max_length=16, choices=EventSource.choices, default=EventSource.WEBHOOK)
    payload = models.JSONField()
    body = models.BinaryField(null=True)
    occurred_at = models.DateTimeField(help_text="The provider's own time.")
    received_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=WebhookStatus.choices, default=WebhookStatus.RECEIVED)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    reason = models.CharField(max_length=60, blank=True, default="", db_default="")
    field = models.CharField(max_length=200, blank=True, default="", db_default="")
    charge_external_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    customer_external_id = models.CharField(max_length=255, blank=True, default="")
    # A plain id, so that an event outlives whatever it speaks of and the inbox needs no lock on the organization.
    organization_id = models.UUIDField(null=True, blank=True)
    request_id = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="webhook_event_unique"),
            one_of("provider", Provider, "webhook_event_provider_known"),
            one_of("status", WebhookStatus, "webhook_event_status_known"),
            one_of("source", EventSource, "webhook_event_source_known"),
            models.CheckConstraint(condition=~Q(event_id="") & ~Q(type=""), name="webhook_event_has_id_and_type"),
            models.CheckConstraint(
                condition=Q(status=WebhookStatus.PROCESSING, lease_expires_at__isnull=False)
                | (~Q(status=WebhookStatus.PROCESSING) & Q(lease_expires_at__isnull=True)),
                name="webhook_event_lease_iff_processing",
            ),
            models.CheckConstraint(
                condition=Q(status__in=_WAITING, next_try_at__isnull=False)
                | (~Q(status__in=_WAITING) & Q(next_try_at__isnull=True)),
                name="webhook_event_due_iff_waiting",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], condition=Q(status__in=_WAITING), name="webhook_event_due"),
            models.Index(
                fields=["provider", "customer_external_id"],
                condition=Q(status=WebhookStatus.UNMATCHED),
                name="webhook_event_unmatched",
            ),
            models.Index(
                fields=["provider", "charge_external_id"],
                condition=Q(status=WebhookStatus.UNMATCHED) & ~Q(charge_external_id=""),
                name="webhook_event_of_charge",
            ),
            models.Index(fields=["reason", "field", "type"], condition=Q(status__in=_KEPT), name="webhook_event_kept"),
            models.Index(
                fields=["reason", "-received_at"],
                condition=~Q(reason=""),
                name="webhook_event_of_reason",
            ),
            models.Index(fields=["status", "-received_at"], name="webhook_event_by_status"),
            models.Index(
                fields=["customer_external_id", "-received_at"],
                condition=~Q(customer_external_id=""),
                name="webhook_event_of_customer",
            ),
            models.Index(fields=["-received_at"], name="webhook_event_latest"),
            models.Index(fields=["organization_id", "-received_at"], name="webhook_event_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("webhook_event", self.pk, self.organization_id)
