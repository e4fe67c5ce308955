"""Revenue by day: one row an organization and currency, and their sums (spec 07, Revenue). Minor units a month."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.constraints import one_of
from apps.reporting.rules.revenue import Movement
from apps.tenants.models import Organization

_CURRENCY = r"^[A-Z]{3}$"


class RevenueDay(models.Model):
    """A day (UTC) whose revenue was written down, at `taken_at`; the movement is against `previous`.

    `gap_count` subscriptions have a figure that may not be what the customer pays; `gaps` names the first of them, each
    with `organization`, `record` and `reasons`.
    """

    day = models.DateField(primary_key=True)
    previous = models.DateField(null=True, blank=True)
    taken_at = models.DateTimeField()
    gap_count = models.IntegerField(default=0)
    gaps = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(previous__isnull=True) | Q(previous__lt=F("day")), name="revenue_day_after_previous"
            ),
        ]

    def __str__(self) -> str:
        return str(self.day)


class OrganizationRevenue(models.Model):
    """The revenue of an organization in one currency on a day; there is no row where nothing was or is.

    `delinquent_minor` is what is owed and late. `at_risk_minor` is the revenue of one in its grace period.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.ForeignKey(RevenueDay, on_delete=models.CASCADE, related_name="organizations", db_index=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    mrr_minor = models.BigIntegerField(default=0)
    before_minor = models.BigIntegerField(default=0)
    movement = models.CharField(max_length=16, choices=Movement.choices, blank=True, default="")
    delinquent_minor = models.BigIntegerField(default=0)
    at_risk_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["day", "organization", "currency"], name="organization_revenue_unique"),
            models.CheckConstraint(condition=Q(currency__regex=_CURRENCY), name="organization_revenue_currency_is_iso"),
            one_of("movement", Movement, "organization_revenue_movement_known", also=[""]),
            models.CheckConstraint(
                condition=Q(mrr_minor__gte=0, before_minor__gte=0, delinquent_minor__gte=0, at_risk_minor__gte=0),
                name="organization_revenue_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(movement="", mrr_minor=F("before_minor"))
                | (~Q(movement="") & ~Q(mrr_minor=F("before_minor"))),
                name="organization_revenue_movement_iff_moved",
            ),
        ]
        indexes: ClassVar = [
            # Whether it has paid before, and an organization's own history.
            models.Index(fields=["organization", "currency", "day"], name="organization_revenue_history"),
            models.Index(fields=["day", "movement"], condition=~Q(movement=""), name="organization_revenue_moved"),
        ]

    def __str__(self) -> str:
        return f"{self.mrr_minor} {self.currency} of {self.organization_id} on {self.day_id}"


class RevenueTotal(models.Model):
    """The platform's revenue in one currency on a day. The database holds that the movement adds up to the difference.

    Movements have their sign: churn and contraction are below zero.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.ForeignKey(RevenueDay, on_delete=models.CASCADE, related_name="totals", db_index=False)
    currency = models.CharField(max_length=3)
    mrr_minor = models.BigIntegerField()
    before_minor = models.BigIntegerField()
    new_minor = models.BigIntegerField(default=0)
    reactivation_minor = models.BigIntegerField(default=0)
    expansion_minor = models.BigIntegerField(default=0)
    contraction_minor = models.BigIntegerField(default=0)
    churn_minor = models.BigIntegerField(default=0)
    delinquent_minor = models.BigIntegerField(default=0)
    at_risk_minor = models.BigIntegerField(default=0)
    organizations = models.IntegerField(help_text="How many pay.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["day", "currency"], name="revenue_total_unique"),
            models.CheckConstraint(condition=Q(currency__regex=_CURRENCY), name="revenue_total_currency_is_iso"),
            models.CheckConstraint(
                condition=Q(
                    mrr_minor=F("before_minor")
                    + F("new_minor")
                    + F("reactivation_minor")
                    + F("expansion_minor")
                    + F("contraction_minor")
                    + F("churn_minor")
                ),
                name="revenue_total_movement_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mrr_minor} {self.currency} on {self.day_id}"
