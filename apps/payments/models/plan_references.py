"""How the providers call our plans (spec 04, Webhooks)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.constraints import one_of
from apps.payments.enums import PlanReferenceKind
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import Plan


class PlanReference(models.Model):
    """One name of a plan at a provider: a lookup key, a price's id, or a product's id. A name belongs to one plan.

    A plan's slug is its lookup key without a row here. A price that was once recognised stays the plan's by its id.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=16, choices=Provider.choices)
    kind = models.CharField(max_length=16, choices=PlanReferenceKind.choices)
    value = models.CharField(max_length=255)
    is_remembered = models.BooleanField(default=False, help_text="Recognised from an event, not named by staff.")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "kind", "value"], name="plan_reference_unique"),
            one_of("provider", Provider, "plan_reference_provider_known"),
            one_of("kind", PlanReferenceKind, "plan_reference_kind_known"),
            models.CheckConstraint(condition=~Q(value=""), name="plan_reference_has_value"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"
