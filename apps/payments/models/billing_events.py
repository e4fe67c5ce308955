"""Tracking: what happened to a customer's money, for people who count (spec 04, Tracking)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.models.protection import append_only
from apps.payments.enums import BillingEventName
from apps.tenants.models import Organization


class BillingEvent(models.Model):
    """One event, once for its key, with its typed properties."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=80, choices=BillingEventName.choices)
    key = models.CharField(max_length=255, unique=True, help_text="The same cause again is the same event.")
    properties = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    request_id = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            one_of("name", BillingEventName, "billing_event_name_known"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(key=""), name="billing_event_has_name_and_key"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["organization", "-occurred_at"], name="billing_event_tenant"),
            models.Index(fields=["name", "occurred_at"], name="billing_event_by_name"),
        ]
        triggers: ClassVar = append_only("billing_event")

    def __str__(self) -> str:
        return f"{self.name} of {self.organization_id}"
