"""The ledger: entries, which grant paid which of them, and what no grant has paid yet (spec 05)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import Exact, IsNull

from apps.core.constraints import one_of
from apps.core.enums import UsageCategory
from apps.core.free_text import FreeTextField
from apps.core.models.protection import append_only
from apps.credits.enums import CHARGES, EntryKind
from apps.credits.models.accounts import CreditAccount, CreditGrant


class HashOf(Func):
    """PostgreSQL's 64-bit hash of a text, with a seed."""

    function = "hashtextextended"
    output_field = models.BigIntegerField()


class HashOfId(HashOf):
    """The same of a UUID."""

    function = "uuid_hash_extended"


class CreditEntry(models.Model):
    """One line of an account, never changed. `sequence` is its place, from 1 on without a gap.

    `amount` is signed micro-credits. Products, users, workspaces and holds are named by plain ids: a check of each
    foreign key would cost every consumption more than the insert itself, and none of those rows is ever deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="entries", db_index=False)
    sequence = models.BigIntegerField()
    kind = models.TextField(choices=EntryKind.choices)
    amount = models.BigIntegerField()
    balance_after = models.BigIntegerField()
    product_id = models.UUIDField(null=True, blank=True)
    operation = models.CharField(max_length=80, blank=True, default="")
    quantity = models.BigIntegerField(default=0)
    free_quantity = models.BigIntegerField(
        default=0, help_text="How much of the quantity the free quantity covered; of a reversal, how much went back."
    )
    free_month = models.DateField(
        null=True,
        blank=True,
        help_text="First day of the month whose free quantity it was; of old entries the UTC month.",
    )
    outcome = models.CharField(max_length=40, blank=True, default="")
    category = models.TextField(choices=UsageCategory.choices, blank=True, default="")
    is_billable = models.BooleanField(default=False)
    is_late = models.BooleanField(default=False)
    acting_user_id = models.UUIDField(null=True, blank=True)
    workspace_id = models.UUIDField(null=True, blank=True)
    run_id = models.CharField(max_length=255, blank=True, default="")
    hold_id = models.UUIDField(null=True, blank=True)
    grant = models.ForeignKey(
        CreditGrant, on_delete=models.PROTECT, null=True, blank=True, related_name="entries", db_index=False
    )
    reversal_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversals", db_index=False
    )
    policy_version = models.PositiveIntegerField(null=True, blank=True)
    # What the product charged itself, and what we would have: both or neither, and then `amount` is 0.
    local_charge = models.BigIntegerField(null=True, blank=True)
    shadow_charge = models.BigIntegerField(null=True, blank=True)
    idempotency_key = models.CharField(max_length=255, blank=True, default="")
    # A consumption is the record of its key, of which its id is made (`credits_entry_of_key`); the keys of all other
    # entries are in the idempotency store.
    body_hash = models.UUIDField(null=True, blank=True, help_text="The last 128 bits of the hash of its request.")
    answer_rest = models.JSONField(
        null=True, blank=True, help_text="What it was answered that no other column tells: what was held, warnings."
    )
    reason = FreeTextField(blank=True, default="")
    actor_label = models.CharField(max_length=254)
    request_id = models.CharField(max_length=200)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "credit entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "sequence"], name="credit_entry_place_unique"),
            one_of("kind", EntryKind, "credit_entry_kind_known"),
            one_of("category", UsageCategory, "credit_entry_category_known", also=[""]),
            models.CheckConstraint(
                condition=Q(kind=EntryKind.GRANT, amount__gt=0)
                # A run that cost nothing gives back its free quantity alone.
                | Q(kind=EntryKind.REVERSAL, amount__gte=0)
                | Q(kind__in=[EntryKind.EXPIRY, EntryKind.VOID], amount__lt=0)
                | Q(kind__in=sorted(CHARGES), amount__lte=0),
                name="credit_entry_sign_of_kind",
            ),
            models.CheckConstraint(
                condition=Q(amount=0)
                | ~Q(kind__in=[EntryKind.CONSUMPTION, EntryKind.CAPTURE])
                | Q(category=UsageCategory.REGULAR, is_billable=True),
                name="credit_entry_charges_regular_alone",
            ),
            models.CheckConstraint(
                condition=Exact(Exact(F("kind"), EntryKind.REVERSAL), IsNull(F("reversal_of"), False)),
                name="credit_entry_reverses_iff_reversal",
            ),
            models.CheckConstraint(
                condition=Q(free_quantity__gte=0, quantity__gte=F("free_quantity")), name="credit_entry_quantities"
            ),
            models.CheckConstraint(
                condition=Q(local_charge__isnull=True) | Q(amount=0, shadow_charge__isnull=False),
                name="credit_entry_local_charges_nothing",
            ),
        ]
        indexes: ClassVar = [
            BrinIndex(fields=["recorded_at"], name="credit_entry_recorded"),
            # What is no consumption is seldom, and each kind of it is found without walking over all that is.
            models.Index(
                fields=["account", "kind", "-sequence"],
                condition=~Q(kind=EntryKind.CONSUMPTION),
                name="credit_entry_of_kind",
            ),
            models.Index(fields=["grant"], condition=Q(grant__isnull=False), name="credit_entry_of_grant"),
            models.Index(fields=["reversal_of"], condition=Q(reversal_of__isnull=False), name="credit_entry_reversal"),
            # By hashes of eight bytes, whatever products call their runs. With the account: a run that many have
            # is found in one of them, and without reading all that the account has.
            models.Index(
                HashOf("run_id", Value(0)),
                HashOfId("account", Value(0)),
                condition=~Q(run_id=""),
                name="credit_entry_run_account",
            ),
        ]
        triggers: ClassVar = append_only("credit_entry")

    def __str__(self) -> str:
        return f"{self.kind} {self.sequence} of {self.account_id}"

    @property
    def decided_by(self) -> str:
        """Who charged it."""
        return "central" if self.local_charge is None else "local"


class GrantBurn(models.Model):
    """How much of a grant an entry took; negative: how much a reversal gave back to it. Never changed."""

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(CreditEntry, on_delete=models.PROTECT, related_name="burns")
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, related_name="burns", db_index=False)
    amount = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(amount=0), name="grant_burn_not_zero")]
        indexes: ClassVar = [models.Index(fields=["grant", "id"], name="grant_burn_of_grant")]
        triggers: ClassVar = append_only("grant_burn")

    def __str__(self) -> str:
        return f"{self.entry_id} of {self.grant_id}"


class UncoveredCharge(models.Model):
    """What no grant has paid yet of a charge; the next grants pay the oldest first."""

    entry = models.OneToOneField(CreditEntry, on_delete=models.PROTECT, primary_key=True, related_name="uncovered")
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="uncovered", db_index=False)
    sequence = models.BigIntegerField(help_text="The entry's.")
    amount_left = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_left__gte=0), name="uncovered_charge_not_negative")
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "sequence"], condition=Q(amount_left__gt=0), name="uncovered_charge_open")
        ]

    def __str__(self) -> str:
        return f"{self.amount_left} of {self.entry_id}"
