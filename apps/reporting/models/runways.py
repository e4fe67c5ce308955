"""When each account's credits run out at its pace, kept so that staff can list who is next (spec 08)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.credits.models import CreditAccount


class AccountRunway(models.Model):
    """The forecast of one account as the job last computed it. It can be computed again from the rollups and grants.

    `last_sequence` is up to which entry it was computed; `a_day` is the pace in micro-credits, 0 for none. `is_empty`:
    it had entries and stands at zero or below, whether or not anybody calls; None where it was not looked at yet.
    """

    account = models.OneToOneField(CreditAccount, on_delete=models.PROTECT, primary_key=True, related_name="runway")
    runs_out_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty: not at this pace, or too early to tell."
    )
    a_day = models.BigIntegerField(default=0)
    last_sequence = models.BigIntegerField(default=0)
    looked_at = models.DateTimeField()
    is_empty = models.BooleanField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(a_day__gte=0, last_sequence__gte=0), name="account_runway_possible"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["runs_out_at", "account"],
                condition=Q(runs_out_at__isnull=False),
                name="account_runway_soonest",
            ),
            models.Index(fields=["account"], condition=Q(is_empty=True), name="account_runway_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} runs out at {self.runs_out_at}"
