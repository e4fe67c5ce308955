"""Plans: what a workspace can buy."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.amounts import LARGEST_AMOUNT
from apps.core.constraints import one_of
from apps.core.free_text import FreeCharField
from apps.core.row_versions import kept_row_versions
from apps.subscriptions.enums import CreditCadence, PlanInterval


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
    credit_allowance = models.BigIntegerField(
        null=True, blank=True, help_text="Micro-credits that the plan gives each cadence; empty: none."
    )
    credit_cadence = models.CharField(
        max_length=16, choices=CreditCadence.choices, blank=True, default="", db_default=""
    )
    credit_expires_after_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of the plan's credits; empty: at the end of the cadence."
    )
    credit_rollover_cap = models.BigIntegerField(
        null=True, blank=True, help_text="Micro-credits that are granted again where they ended unused."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("interval", PlanInterval, "plan_interval_known"),
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="plan_price_not_negative"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="plan_currency_is_iso"),
            models.CheckConstraint(condition=~Q(name=""), name="plan_has_name"),
            one_of("credit_cadence", CreditCadence, "plan_credit_cadence_known", also=[""]),
            models.CheckConstraint(
                condition=Q(credit_allowance__isnull=True, credit_cadence="")
                | (Q(credit_allowance__gt=0, credit_allowance__lte=LARGEST_AMOUNT) & ~Q(credit_cadence="")),
                name="plan_credits_have_cadence",
            ),
            models.CheckConstraint(
                condition=Q(credit_rollover_cap__isnull=True)
                | Q(
                    credit_allowance__isnull=False,
                    credit_expires_after_days__isnull=True,
                    credit_rollover_cap__gt=0,
                    credit_rollover_cap__lte=LARGEST_AMOUNT,
                ),
                name="plan_credits_carried_over_from_cadence",
            ),
            models.CheckConstraint(
                condition=Q(credit_expires_after_days__isnull=True)
                | Q(credit_allowance__isnull=False, credit_expires_after_days__gt=0),
                name="plan_credits_expire_after_days",
            ),
        ]

    def __str__(self) -> str:
        return self.name
