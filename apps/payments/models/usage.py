"""What of an organization's usage has gone to Orb, for which products, and what Orb does not have (spec 04)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.constraints import one_of
from apps.core.ids import AuditTarget
from apps.payments.enums import UsageFaultKind
from apps.tenants.models import Organization, Product


class UsageReporting(models.Model):
    """The switch of one product. Without a row, or without `reports_from`, nothing of it is reported."""

    product = models.OneToOneField(Product, on_delete=models.PROTECT, primary_key=True, related_name="usage_reporting")
    reports_from = models.DateTimeField(
        null=True, blank=True, help_text="What was recorded from then on is reported; empty while switched off."
    )
    includes_unpriced = models.BooleanField(default=False, help_text="Free and internal usage goes too.")

    class Meta:
        verbose_name_plural = "usage reporting"

    def __str__(self) -> str:
        return f"usage of {self.product_id}"


class UsagePeriod(models.Model):
    """A time that is over in which a product's usage was recorded that Orb heard of: by the switch, or by a backfill.

    The one that goes on is the switch's own `reports_from`.
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    recorded_from = models.DateTimeField()
    recorded_until = models.DateTimeField()
    includes_unpriced = models.BooleanField(help_text="Free and internal usage too.")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "recorded_from"], name="usage_period_unique"),
            models.CheckConstraint(condition=Q(recorded_until__gte=F("recorded_from")), name="usage_period_forward"),
        ]

    def __str__(self) -> str:
        return f"usage of {self.product_id} from {self.recorded_from}"


class UsagePosition(models.Model):
    """Up to which entry of an organization's account usage was taken for Orb. Entries are numbered without a gap."""

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="usage_position"
    )
    last_sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(last_sequence__gte=0), name="usage_position_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} up to {self.last_sequence}"


class UsageFault(models.Model):
    """A line of the difference report: an entry that Orb refused, lost, or has otherwise. Open until it is settled."""

    entry_id = models.UUIDField(primary_key=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=UsageFaultKind.choices)
    sentence = models.TextField(help_text="What Orb answered, or what differs.")
    occurred_at = models.DateTimeField(help_text="When the usage occurred.")
    found_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [one_of("kind", UsageFaultKind, "usage_fault_kind_known")]
        indexes: ClassVar = [
            models.Index(fields=["-found_at", "entry_id"], name="usage_fault_newest"),
            models.Index(fields=["kind", "-found_at"], name="usage_fault_by_kind"),
            models.Index(fields=["organization", "-found_at"], name="usage_fault_of_organization"),
            models.Index(fields=["-found_at"], condition=Q(settled_at__isnull=True), name="usage_fault_open"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.entry_id}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("usage_fault", self.pk, self.organization_id)
