"""Daily rows of what an organization used, and up to where they go (spec 07, Rollups).

Quantities are exact decimal numbers in their own units, or micro-units for credits; money is in minor units of one
currency, credits in micro-credits. Workspaces, products and connectors are named by plain ids, as in the ledger.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.credits.models import CreditAccount

# A decimal number as text: exact however large or small, and never NaN, as in the billing records.
_NUMBER = r"^-?[0-9]{1,40}(\.[0-9]{1,30})?$"


class RollupState(models.Model):
    """Up to which entry an account is rolled up, and the zone that its days were cut in.

    Entries are rolled up in pieces of consecutive numbers, each computed whole. The last piece, which begins at
    `piece_first`, is computed again as the account grows; the others never change, as no entry does. Whoever writes
    rollups of the organization, of connectors too, holds this row.
    """

    account = models.OneToOneField(
        CreditAccount, on_delete=models.PROTECT, primary_key=True, related_name="rollup_state"
    )
    zone = models.CharField(max_length=64)
    last_sequence = models.BigIntegerField(default=0)
    piece_first = models.BigIntegerField(default=1)
    piece_began_on = models.DateField(help_text="In UTC; a piece holds entries that came in on one day.")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(piece_first__gte=1, piece_first__lte=F("last_sequence") + 1),
                name="rollup_state_piece_possible",
            ),
            models.CheckConstraint(condition=~Q(zone=""), name="rollup_state_has_zone"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} up to {self.last_sequence}"


class CreditRollup(models.Model):
    """Entries of one piece that share all these words: their quantity, number and amount.

    A quantity counts on `occurred_on`, an amount on `recorded_on`. `count` is how many charges there were, less those
    that were given back whole; 0 for entries that are no usage.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    first_sequence = models.BigIntegerField(help_text="Of the piece.")
    recorded_on = models.DateField()
    occurred_on = models.DateField()
    kind = models.CharField(max_length=24, help_text="The entries' own.")
    workspace_id = models.UUIDField(null=True, blank=True)
    product_id = models.UUIDField(null=True, blank=True)
    operation = models.CharField(max_length=80, blank=True)
    category = models.CharField(max_length=16, blank=True)
    quantity = models.BigIntegerField()
    amount = models.BigIntegerField()
    count = models.BigIntegerField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["account", "first_sequence"], name="credit_rollup_of_piece"),
            # With all that is asked for, so that a year of an organization is read from neighbouring pages.
            models.Index(
                fields=["account", "occurred_on"],
                include=["kind", "workspace_id", "product_id", "operation", "category", "quantity", "count"],
                name="credit_rollup_usage",
            ),
            models.Index(
                fields=["account", "recorded_on"],
                include=["kind", "workspace_id", "product_id", "operation", "category", "amount"],
                name="credit_rollup_money",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation or self.kind} of {self.account_id} on {self.occurred_on}"


class ConnectorRollup(models.Model):
    """Billing records of one month of a connector that share all these words, voided ones left out.

    A month of a connector is always computed whole. `amount` is in minor units of `currency`, which is empty where the
    records bear no amount. Both figures are exact decimal numbers as text: no column of a fixed size holds every sum.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    workspace_id = models.UUIDField()
    connector_id = models.UUIDField()
    month = models.CharField(max_length=7)
    occurred_on = models.DateField()
    kind = models.CharField(max_length=24, help_text="The records' own.")
    unit = models.CharField(max_length=64, blank=True)
    category = models.CharField(max_length=16)
    currency = models.CharField(max_length=3, blank=True)
    quantity = models.CharField(max_length=96)
    amount = models.CharField(max_length=40)
    count = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__regex=_NUMBER), name="connector_rollup_quantity_is_number"),
            models.CheckConstraint(condition=Q(amount__regex=_NUMBER), name="connector_rollup_amount_is_number"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["connector_id", "month"], name="connector_rollup_of_month"),
            models.Index(
                fields=["account", "occurred_on"],
                include=["workspace_id", "connector_id", "month", "kind", "unit", "category", "currency"],
                name="connector_rollup_usage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit or self.currency} of {self.connector_id} on {self.occurred_on}"
