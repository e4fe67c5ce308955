"""What an account spent, by day of its organization and by product, and what stood in it at each day's end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from uuid import UUID

from django.db.models import Max, Q, Sum
from django.db.models.functions import TruncDate

from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry

_SPENDING = (EntryKind.CONSUMPTION, EntryKind.CAPTURE)


@dataclass(frozen=True, slots=True)
class DayOfBurn:
    """One day: micro-credits by product (None: of no product), and the balance at its end."""

    day: date
    by_product: Mapping[UUID | None, int]
    balance: int

    @property
    def total(self) -> int:
        """All that was spent on the day."""
        return sum(self.by_product.values())


def days_of_burn(account_id: UUID, *, now: datetime, zone: tzinfo, days: int) -> list[DayOfBurn]:
    """The last `days` days with today, oldest first. A reversal takes nothing back of the day that was charged."""
    today = now.astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    since = datetime.combine(first, time(), zone)
    # With an end: a row of the end of the calendar has a day in the zone that no date here can be.
    until = datetime.combine(today + timedelta(days=1), time(), zone)
    recorded_on = TruncDate("recorded_at", tzinfo=zone)
    recent = CreditEntry.objects.filter(account_id=account_id, recorded_at__range=(since, until)).annotate(
        day=recorded_on
    )
    spent: dict[date, dict[UUID | None, int]] = {}
    last_places: dict[date, int] = {}
    is_spent = Q(kind__in=_SPENDING, amount__lt=0)
    # One look at the entries: a busy account has many in a month.
    grouped = recent.values("day", "product_id").annotate(sum=Sum("amount", filter=is_spent), place=Max("sequence"))
    for row in grouped.order_by("day"):
        last_places[row["day"]] = max(row["place"], last_places.get(row["day"], 0))
        if row["sum"] is not None:
            spent.setdefault(row["day"], {})[row["product_id"]] = -row["sum"]
    balances = _balances(last_places, account_id, since)
    found, balance = [], balances.pop(None)
    for place in range(days):
        day = first + timedelta(days=place)
        balance = balances.get(day, balance)
        found.append(DayOfBurn(day, spent.get(day, {}), balance))
    return found


def _balances(last_places: Mapping[date, int], account_id: UUID, since: datetime) -> dict[date | None, int]:
    """The balance at the end of each day that has entries; under None what stood there before all of them."""
    before = (
        CreditEntry.objects.filter(account_id=account_id, recorded_at__lt=since)
        .order_by("-sequence")
        .values_list("sequence", flat=True)
        .first()
    )
    places = [*last_places.values(), *([before] if before else [])]
    after = dict(
        CreditEntry.objects.filter(account_id=account_id, sequence__in=places).values_list("sequence", "balance_after")
    )
    balances: dict[date | None, int] = {day: after[place] for day, place in last_places.items()}
    balances[None] = after.get(before, 0) if before else 0
    return balances
