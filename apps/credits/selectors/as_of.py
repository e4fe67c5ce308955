"""What an account held at a moment of the past (spec 09, Balance `at`)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from apps.core.models import AuditEntry
from apps.credits.events import OVERDRAFT_CHANGED
from apps.credits.models import CreditAccount, CreditEntry, Hold

_LONGEST_HOLD = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stood in an account, in micro-credits."""

    balance: int = 0
    held: int = 0
    overdraft_limit: int = 0

    @property
    def available(self) -> int:
        """What could still be spent, the overdraft included."""
        return self.balance - self.held + self.overdraft_limit


def standing_at(account: CreditAccount, at: datetime) -> Standing:
    """The account as its entries, holds and audit log say that it was at the moment.

    Whatever fell due then counts from when it was recorded, at most a minute later. Costs about twenty look-ups in an
    index, however many entries there are.
    """
    return Standing(_balance_at(account, at), _held_at(account.pk, at), _overdraft_at(account, at))


def _balance_at(account: CreditAccount, at: datetime) -> int:
    entries = CreditEntry.objects.filter(account_id=account.pk)

    def recorded_at(place: int) -> datetime:
        return entries.values_list("recorded_at", flat=True).get(sequence=place)

    # Places have no gap, and their moments rise with them, but for the milliseconds in which requests overtake.
    places = range(1, account.last_sequence + 1)
    count = bisect_right(places, at, key=recorded_at)
    return entries.values_list("balance_after", flat=True).get(sequence=count) if count else 0


def _held_at(account_id: UUID, at: datetime) -> int:
    opened = Hold.objects.filter(account_id=account_id, created_at__lte=at, created_at__gt=at - _LONGEST_HOLD)
    still_open = opened.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=at), expires_at__gt=at)
    held: int = still_open.aggregate(sum=Coalesce(Sum("amount"), 0))["sum"]
    return held


def _overdraft_at(account: CreditAccount, at: datetime) -> int:
    later = AuditEntry.objects.filter(
        target_type=account.audit_target.kind,
        target_id=str(account.pk),
        event=OVERDRAFT_CHANGED.name,
        recorded_at__gt=at,
    )
    before = later.order_by("recorded_at").values_list("before", flat=True).first()
    return int(before["overdraft_limit"]) if before is not None else account.overdraft_limit
