"""What keeps the books quick, and what the last looks at them found (spec 07, Books)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.enums import TextEnum
from apps.credits.models import CreditAccount
from apps.tenants.models import Organization, Workspace


class ContradictionKind(TextEnum):
    """How the gate and what is paid contradict each other."""

    PAID_BUT_BLOCKED = "paid_but_blocked", "Paid but blocked"
    UNPAID_BUT_ALLOWED = "unpaid_but_allowed", "Unpaid but allowed"


class BooksStatement(models.Model):
    """What an account's rollups add up to through a local day of `zone`, by kind; micro-credits with their signs.

    The books go on from the last one, so that they cost the days since then and not the years before.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    zone = models.CharField(max_length=64)
    through = models.DateField()
    granted = models.BigIntegerField()
    consumed = models.BigIntegerField()
    expired = models.BigIntegerField()
    voided = models.BigIntegerField()
    given_back = models.BigIntegerField()
    adjusted = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "zone", "through"], name="books_statement_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} through {self.through}"


class BooksCheck(models.Model):
    """One look at all entries, holds, grants and rollups: the first faults that it found, in words."""

    checked_at = models.DateTimeField(primary_key=True)
    faults = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{len(self.faults)} faults at {self.checked_at}"


class PlatformBooks(models.Model):
    """The books of all customers at the end of a day (UTC), as they were computed last, at `taken_at`.

    `lines` holds each identity with both sides, `faults` what was wrong, in words.
    """

    day = models.DateField(primary_key=True)
    taken_at = models.DateTimeField()
    accounts = models.IntegerField()
    lines = models.JSONField(default=list)
    faults = models.JSONField(default=list)

    def __str__(self) -> str:
        return str(self.day)


class PaymentContradiction(models.Model):
    """A workspace where the gate says one thing and what is paid another, as of `seen_at` (spec 07, Books).

    `records` names what the two rest on, such as `workspace_subscription:<id>` or `stripe:sub_1`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=24, choices=ContradictionKind.choices)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+", db_index=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    records = models.JSONField(default=list)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("kind", ContradictionKind, "payment_contradiction_kind_known"),
            models.UniqueConstraint(fields=["workspace", "kind"], name="payment_contradiction_unique"),
            models.CheckConstraint(condition=~Q(reason=""), name="payment_contradiction_has_reason"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "first_seen_at", "id"], name="payment_contradiction_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: workspace {self.workspace_id}"
