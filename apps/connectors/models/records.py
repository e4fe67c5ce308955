"""Billing records, and the adjustments of final months (spec 06, BillingRecord, Month selection)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.connectors.enums import AdjustmentKind, RecordKind
from apps.connectors.models.connectors import Connector
from apps.connectors.models.month_totals import counted_by_month
from apps.connectors.models.syncs import SyncRun
from apps.core.constraints import one_of
from apps.core.enums import UsageCategory
from apps.core.models.protection import append_only

# A decimal number as text: exact however large or small, and never NaN. A report casts it to numeric.
_QUANTITY = r"^-?[0-9]{1,24}(\.[0-9]{1,30})?$"
_MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
_CURRENCY = r"^[A-Z]{3}$"


class BillingRecord(models.Model):
    """What a provider has about one thing, as of the latest sync. Unique by connector and the provider's own id.

    `month` is that of its `occurred_at`; `asked_month` the one whose sync brought it, empty where that is the same: a
    feed that counts its months in another zone has records of the neighbours. Only a sync of the month that brought a
    record may find that it is gone. `amount_minor` is in the minor units of `currency`; amounts of different currencies
    are never added. `quantity` is an exact decimal number of `unit`, as text; empty where there is none. A record that
    is gone upstream has `voided_at`. `digest` tells a changed record from an unchanged one; `seen_by` is the run that
    brought it as it is; `SeenRecords` notes the runs that found it so again.
    """

    id = models.BigAutoField(primary_key=True)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="records", db_index=False)
    external_id = models.CharField(max_length=255)
    month = models.CharField(max_length=7)
    asked_month = models.CharField(max_length=7, blank=True, default="", db_default="")
    kind = models.CharField(max_length=16, choices=RecordKind.choices)
    description = models.TextField(blank=True)
    occurred_at = models.DateTimeField()
    quantity = models.CharField(max_length=64, blank=True, default="")
    unit = models.CharField(max_length=64, blank=True)
    amount_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    category = models.CharField(max_length=16, choices=UsageCategory.choices)
    status = models.CharField(max_length=64, blank=True)
    raw = models.JSONField()
    digest = models.BinaryField()
    seen_by = models.UUIDField()
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connector", "external_id"], name="billing_record_unique"),
            one_of("kind", RecordKind, "billing_record_kind_known"),
            one_of("category", UsageCategory, "billing_record_category_known"),
            models.CheckConstraint(condition=~Q(external_id=""), name="billing_record_names_upstream"),
            models.CheckConstraint(condition=Q(month__regex=_MONTH), name="billing_record_month_is_one"),
            models.CheckConstraint(
                condition=Q(amount_minor__isnull=True, currency="")
                | Q(amount_minor__isnull=False, currency__regex=_CURRENCY),
                name="billing_record_amount_has_currency",
            ),
            models.CheckConstraint(
                condition=Q(quantity="") | Q(quantity__regex=_QUANTITY),
                name="billing_record_quantity_is_number",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["connector", "month", "-occurred_at", "-id"], name="billing_record_of_month"),
        ]
        triggers: ClassVar = counted_by_month("billing_record")

    def __str__(self) -> str:
        return self.external_id


class RecordAdjustment(models.Model):
    """A late change to a record of a month that was final: what it said before, and what it says now.

    The record itself has the new values, so that what was reported of the month is its records without these. Null
    where the record was not there. Append-only.
    """

    id = models.BigAutoField(primary_key=True)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="adjustments", db_index=False)
    run = models.ForeignKey(SyncRun, on_delete=models.PROTECT, related_name="adjustments")
    month = models.CharField(max_length=7)
    external_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=AdjustmentKind.choices)
    amount_before = models.BigIntegerField(null=True, blank=True)
    currency_before = models.CharField(max_length=3, blank=True, default="")
    quantity_before = models.CharField(max_length=64, blank=True, default="")
    amount_after = models.BigIntegerField(null=True, blank=True)
    currency_after = models.CharField(max_length=3, blank=True, default="")
    quantity_after = models.CharField(max_length=64, blank=True, default="")
    noted_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("kind", AdjustmentKind, "record_adjustment_kind_known"),
            models.CheckConstraint(
                condition=Q(amount_before__isnull=True, currency_before="")
                | Q(amount_before__isnull=False, currency_before__regex=_CURRENCY),
                name="record_adjustment_before_has_currency",
            ),
            models.CheckConstraint(
                condition=Q(amount_after__isnull=True, currency_after="")
                | Q(amount_after__isnull=False, currency_after__regex=_CURRENCY),
                name="record_adjustment_after_has_currency",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["connector", "month", "-id"], name="record_adjustment_of_month")]
        triggers: ClassVar = append_only("record_adjustment")

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"


class ChangedMonth(models.Model):
    """A month of a connector whose records changed; written with the change, taken away by whoever adds them up.

    There may be several of one month. Taken by what is there and not by a position: ids become visible out of order.
    """

    id = models.BigAutoField(primary_key=True)
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="changed_months", db_index=False)
    month = models.CharField(max_length=7)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(month__regex=_MONTH), name="changed_month_is_one")]
        indexes: ClassVar = [models.Index(fields=["connector", "month"], name="changed_month_of_connector")]

    def __str__(self) -> str:
        return self.month
