"""Accounts, what was granted to them, and how much of the free quantities they used (spec 05)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.core.amounts import LARGEST_AMOUNT
from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.credits.enums import GrantType
from apps.credits.rules.allocation import available
from apps.tenants.models import Organization, Product


class CreditAccount(models.Model):
    """One row an organization, made with it; every change of its credits locks this row first.

    `floor` is the lowest that balance less held may be: minus the overdraft limit, and lower only by what was recorded
    as debt. `next_due_at` is when a hold, a grant's end or a grant's beginning comes due next. The charges up to
    `burned_sequence` have burned their grants; later ones burn before anything else touches a grant (spec 05).
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.PROTECT, primary_key=True, related_name="credit_account"
    )
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    overdraft_limit = models.BigIntegerField(default=0)
    floor = models.BigIntegerField(default=0)
    last_sequence = models.BigIntegerField(default=0)
    burned_sequence = models.BigIntegerField(default=0, db_default=0)
    next_due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(held__gte=0), name="credit_account_held_not_negative"),
            models.CheckConstraint(
                condition=Q(overdraft_limit__gte=0, overdraft_limit__lte=LARGEST_AMOUNT),
                name="credit_account_overdraft_possible",
            ),
            models.CheckConstraint(condition=Q(balance__gte=F("floor") + F("held")), name="credit_account_above_floor"),
            models.CheckConstraint(condition=Q(floor__lte=-F("overdraft_limit")), name="credit_account_floor_honest"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_due_at"], condition=Q(next_due_at__isnull=False), name="credit_account_due"),
        ]
        triggers: ClassVar = [pgtrigger.Protect(name="credit_account_stays", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"account of {self.organization_id}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("credit_account", self.pk, self.organization_id)

    @property
    def available(self) -> int:
        """What may still be spent, the overdraft included; micro-credits."""
        return available(self.balance, self.held, self.overdraft_limit)


_GRANT_TERMS = (
    *("account", "grant_type", "amount", "priority", "effective_at", "expires_at", "created_at"),
    *("product_id", "idempotency_key"),
)


class CreditGrant(models.Model):
    """Credits given. They count from `effective_at` on, when the grant's entry is posted, until `expires_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="grants", db_index=False)
    grant_type = models.CharField(max_length=16, choices=GrantType.choices)
    amount = models.BigIntegerField()
    remaining = models.BigIntegerField(help_text="What is left of it, in micro-credits; 0 before it is posted.")
    priority = models.PositiveSmallIntegerField(default=100, help_text="0 to 255; the lowest is burned first.")
    # The index of live grants asks this and not `remaining`, so that a charge changes no index while something is left.
    is_spent = models.GeneratedField(
        expression=Q(remaining=0),  # type: ignore[arg-type]  # the stubs know no condition as an expression
        output_field=models.BooleanField(),
        db_persist=True,
    )
    effective_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    is_posted = models.BooleanField(default=False)
    voided_at = models.DateTimeField(
        null=True, blank=True, help_text="Ended by hand: what is left goes, and it never begins."
    )
    note = FreeTextField(blank=True, default="")
    product_id = models.UUIDField(null=True, blank=True, help_text="The product that granted; none for staff.")
    idempotency_key = models.CharField(max_length=255, blank=True, db_default="", default="")
    granted_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("grant_type", GrantType, "credit_grant_type_known"),
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=LARGEST_AMOUNT), name="credit_grant_amount_possible"
            ),
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("amount")), name="credit_grant_remaining_possible"
            ),
            models.CheckConstraint(condition=Q(priority__lte=255), name="credit_grant_priority_possible"),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("effective_at")),
                name="credit_grant_expires_after_start",
            ),
            models.CheckConstraint(condition=Q(is_posted=True) | Q(remaining=0), name="credit_grant_left_once_posted"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["account", "priority", "expires_at", "created_at"],
                condition=Q(is_spent=False),
                name="credit_grant_burn_order",
            ),
            models.Index(fields=["account", "-created_at"], name="credit_grant_of_account"),
            models.Index(fields=["-created_at"], name="credit_grant_latest"),
            # Those that begin later: a forecast asks for them, however many grants an account has had.
            models.Index(
                fields=["account", "effective_at"],
                condition=Q(is_posted=False, voided_at__isnull=True),
                name="credit_grant_waiting",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.ReadOnly(
                name="credit_grant_terms_are_fixed",
                fields=[*_GRANT_TERMS],
            ),
            pgtrigger.Protect(name="credit_grant_is_not_deleted", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.grant_type} grant of {self.account_id}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("credit_grant", self.pk, self.account_id)


class FreeQuantity(models.Model):
    """How much of an operation's free quantity an organization used in one month of its zone, in micro-units.

    What open holds reserve counts as used. Rows of the first release are of UTC months.
    """

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+", db_index=False)
    operation = models.CharField(max_length=80)
    month = models.DateField(help_text="Its first day.")
    used = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "free quantities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "product", "operation", "month"], name="free_quantity_unique"),
            models.CheckConstraint(condition=Q(used__gte=0), name="free_quantity_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} of {self.account_id} in {self.month}"
