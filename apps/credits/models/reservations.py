"""Holds, and what products decided differently from us (spec 05)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.core.constraints import one_of
from apps.credits.enums import DisagreementClass, HoldStatus
from apps.credits.models.accounts import CreditAccount
from apps.tenants.models import Product


class Hold(models.Model):
    """Credits reserved for one run, for at most 24 hours. Ends once: captured, released or expired.

    It reserves the free quantity too that its price counts on: what it keeps of a month counts as used (spec 05).
    `billing_mode` is who decided on the product's credits when it was opened, empty for holds of the release before.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="holds", db_index=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    operation = models.CharField(max_length=80)
    quantity = models.BigIntegerField()
    amount = models.BigIntegerField()
    free_quantity = models.BigIntegerField(default=0, db_default=0)
    free_month = models.DateField(null=True, blank=True)
    billing_mode = models.CharField(max_length=8, blank=True, default="", db_default="")
    status = models.CharField(max_length=16, choices=HoldStatus.choices, default=HoldStatus.OPEN)
    acting_user_id = models.UUIDField(null=True, blank=True)
    workspace_id = models.UUIDField(null=True, blank=True)
    policy_version = models.PositiveIntegerField()
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("status", HoldStatus, "hold_status_known"),
            models.CheckConstraint(condition=Q(amount__gte=0, quantity__gt=0), name="hold_amount_possible"),
            models.CheckConstraint(
                condition=Q(free_quantity=0)
                | Q(free_quantity__gt=0, free_quantity__lte=F("quantity"), free_month__isnull=False),
                name="hold_free_quantity_possible",
            ),
            models.CheckConstraint(
                condition=Q(status=HoldStatus.OPEN, ended_at__isnull=True)
                | (~Q(status=HoldStatus.OPEN) & Q(ended_at__isnull=False)),
                name="hold_end_iff_ended",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["account", "expires_at"], condition=Q(status=HoldStatus.OPEN), name="hold_open_of_account"
            ),
            models.Index(fields=["account", "created_at"], name="hold_of_account"),
            models.Index(fields=["-created_at"], name="hold_latest"),
        ]
        triggers: ClassVar = [
            pgtrigger.FSM(
                name="hold_ends_once",
                field="status",
                transitions=[(HoldStatus.OPEN.value, end.value) for end in HoldStatus if end != HoldStatus.OPEN],
            ),
            pgtrigger.ReadOnly(
                name="hold_terms_are_fixed", fields=["account", "product", "amount", "free_quantity", "created_at"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} hold of {self.account_id}"


class ShadowDisagreement(models.Model):
    """A product's own decision and ours, where they differ, or what was booked though it should have been refused.

    Amounts are micro-credits, None where none was told. `entry_id` is the ledger's line, where there is one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="disagreements", db_index=False)
    organization_id = models.UUIDField(null=True, blank=True)
    difference = models.CharField(max_length=40, choices=DisagreementClass.choices)
    operation = models.CharField(max_length=80)
    quantity = models.BigIntegerField()
    local_decision = models.CharField(max_length=8, blank=True)
    local_balance = models.BigIntegerField(null=True, blank=True)
    local_charge = models.BigIntegerField(null=True, blank=True)
    entry_id = models.UUIDField(null=True, blank=True)
    central_decision = models.CharField(max_length=8)
    central_code = models.CharField(max_length=64)
    central_balance = models.BigIntegerField()
    central_charge = models.BigIntegerField(null=True, blank=True)
    request_id = models.CharField(max_length=200)
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [one_of("difference", DisagreementClass, "shadow_disagreement_class_known")]
        indexes: ClassVar = [
            models.Index(fields=["product", "-seen_at"], name="shadow_disagreement_recent"),
            models.Index(fields=["-seen_at"], name="shadow_disagreement_latest"),
            models.Index(fields=["difference", "-seen_at"], name="shadow_disagreement_kind"),
            models.Index(fields=["operation", "-seen_at"], name="shadow_disagreement_asked"),
            models.Index(fields=["organization_id", "-seen_at"], name="shadow_disagreement_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.difference}: {self.local_decision} against {self.central_decision}"


class ShadowComparison(models.Model):
    """How many decisions of a product were compared with ours on one day (UTC)."""

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    compared = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["product", "day"], name="shadow_comparison_unique"),
            models.CheckConstraint(condition=Q(compared__gt=0), name="shadow_comparison_of_some"),
        ]

    def __str__(self) -> str:
        return f"{self.compared} of {self.product_id} on {self.day}"
