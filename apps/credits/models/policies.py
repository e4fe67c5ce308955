"""Credit policies: what each operation of a product costs (spec 05, Policy)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.credits.enums import PolicyStatus
from apps.credits.rules.outcomes import USUAL_OTHER_OUTCOMES
from apps.tenants.models import Product

_PUBLISHED = f"'{PolicyStatus.PUBLISHED.value}'"


def usual_other_outcomes() -> list[str]:
    """The default of a price's other outcomes."""
    return list(USUAL_OTHER_OUTCOMES)


class CreditPolicy(models.Model):
    """One version of a product's prices. At most one draft a product; a published version never changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="credit_policies", db_index=False)
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=PolicyStatus.choices, default=PolicyStatus.DRAFT)
    effective_from = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "credit policies"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "version"], name="credit_policy_version_unique"),
            models.UniqueConstraint(
                fields=["product"], condition=Q(status=PolicyStatus.DRAFT), name="credit_policy_one_draft"
            ),
            one_of("status", PolicyStatus, "credit_policy_status_known"),
            models.CheckConstraint(
                condition=Q(status=PolicyStatus.PUBLISHED, published_at__isnull=False)
                | (~Q(status=PolicyStatus.PUBLISHED) & Q(published_at__isnull=True)),
                name="credit_policy_published_at_iff_published",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="credit_policy_version_positive"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="published_credit_policy_is_fixed",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Condition(f"OLD.status = {_PUBLISHED}"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} policy {self.version} of {self.product_id}"


class OperationPrice(models.Model):
    """What one operation costs. Prices are micro-credits a unit, the free quantity micro-units a month."""

    policy = models.ForeignKey(CreditPolicy, on_delete=models.CASCADE, related_name="prices", db_index=False)
    operation = models.CharField(max_length=80)
    unit = models.CharField(max_length=40)
    unit_price = models.BigIntegerField()
    minimum_charge = models.BigIntegerField(default=0)
    free_quantity = models.BigIntegerField(default=0, help_text="Per organization and month, in micro-units.")
    billable_outcomes = ArrayField(models.CharField(max_length=40))
    other_outcomes = ArrayField(
        models.CharField(max_length=40),
        default=usual_other_outcomes,
        db_default=list(USUAL_OTHER_OUTCOMES),
        help_text="How a run may end without being charged.",
    )
    quantum = models.BigIntegerField(default=1, help_text="The smallest step of a charge, in micro-credits.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["policy", "operation"], name="operation_price_unique"),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0, minimum_charge__gte=0, free_quantity__gte=0, quantum__gte=1),
                name="operation_price_possible",
            ),
            models.CheckConstraint(condition=~Q(operation="") & ~Q(unit=""), name="operation_price_named"),
        ]
        triggers: ClassVar = [
            pgtrigger.Trigger(
                name="published_prices_are_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                declare=[("policy", "uuid")],
                func=(
                    "FOREACH policy IN ARRAY CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.policy_id]"
                    " WHEN 'DELETE' THEN ARRAY[OLD.policy_id] ELSE ARRAY[OLD.policy_id, NEW.policy_id] END LOOP"
                    " IF EXISTS (SELECT 1 FROM credits_creditpolicy p"
                    " WHERE p.id = policy AND p.status = 'published') THEN"
                    " RAISE EXCEPTION 'pgtrigger: Cannot change the prices of a published policy'; END IF; END LOOP;"
                    " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.operation
