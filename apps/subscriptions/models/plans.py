"""Plans: what a workspace can buy."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.free_text import FreeCharField
from apps.core.row_versions import kept_row_versions
from apps.subscriptions.enums import PlanInterval


@kept_row_versions()
class Plan(models.Model):
    """A name with a price. An inactive plan stays with those who have it and can't be chosen any more."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=80, unique=True)
    name = FreeCharField(max_length=100)
    price_minor = models.BigIntegerField(help_text="In the currency's minor unit (cents), an interval.")
    currency = models.CharField(max_length=3, help_text="ISO 4217, upper case.")
    interval = models.CharField(max_length=8, choices=PlanInterval.choices)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            one_of("interval", PlanInterval, "plan_interval_known"),
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="plan_price_not_negative"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="plan_currency_is_iso"),
            models.CheckConstraint(condition=~Q(name=""), name="plan_has_name"),
        ]

    def __str__(self) -> str:
        return self.name
