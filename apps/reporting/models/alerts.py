"""When an account's people are told that its credits run low, and how each threshold stands (spec 07)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.amounts import LARGEST_AMOUNT
from apps.core.constraints import one_of
from apps.core.ids import AuditTarget
from apps.reporting.rules.alerts import MOST_DAYS, Audience, Threshold, ThresholdKind
from apps.tenants.models import Organization


class AlertSettings(models.Model):
    """One row an organization. Whoever judges its thresholds, or changes them, holds it.

    `last_sequence` is up to which entry of the account the balance was judged; `next_look_at` when the runway is
    computed next, null without a threshold in days.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="alert_settings"
    )
    audience = models.CharField(max_length=24, choices=Audience.choices, default=Audience.ADMINS)
    is_chosen = models.BooleanField(default=False, help_text="A person set the thresholds; else they are the usual.")
    last_sequence = models.BigIntegerField(default=0)
    next_look_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "alert settings"
        constraints: ClassVar = [
            one_of("audience", Audience, "alert_settings_audience_known"),
            models.CheckConstraint(condition=Q(last_sequence__gte=0), name="alert_settings_position_possible"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_look_at"], condition=Q(next_look_at__isnull=False), name="alert_settings_due"),
        ]

    def __str__(self) -> str:
        return f"alerts of {self.organization_id}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("balance_alerts", self.pk, self.organization_id)


class AlertThreshold(models.Model):
    """One threshold and how it stands. `is_low` is null until somebody looked; `times`: how often it was crossed."""

    id = models.BigAutoField(primary_key=True)
    settings = models.ForeignKey(AlertSettings, on_delete=models.PROTECT, related_name="thresholds", db_index=False)
    kind = models.CharField(max_length=16, choices=ThresholdKind.choices)
    value = models.BigIntegerField(help_text="Whole percents, micro-credits, or whole days.")
    is_low = models.BooleanField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True, help_text="Since when it is low, or is not.")
    times = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["settings", "kind", "value"], name="alert_threshold_unique"),
            one_of("kind", ThresholdKind, "alert_threshold_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=ThresholdKind.CREDITS.value, value__gte=0, value__lte=LARGEST_AMOUNT)
                | Q(kind=ThresholdKind.PERCENT.value, value__gte=1, value__lte=100)
                | Q(kind=ThresholdKind.DAYS.value, value__gte=1, value__lte=MOST_DAYS),
                name="alert_threshold_value_possible",
            ),
        ]

    def __str__(self) -> str:
        return str(self.threshold)

    @property
    def threshold(self) -> Threshold:
        """As the rules have it."""
        return Threshold(ThresholdKind(self.kind), self.value)
