"""What an account spent, by day of its organization and by product, and what stood in it at each day's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from uuid import UUID

from django.db.models import Max, Q, Sum
from django.db.models.functions import TruncDate

from apps.core.registry import Registry
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


@dataclass(frozen=True, slots=True)
class ProductDay:
    """What the entries of one product (None: of none) came to on a day: spent, and all together with their signs."""

    day: date
    product_id: UUID | None
    spent: int
    moved: int


@dataclass(frozen=True, slots=True)
class KeptDays:
    """Sums of every entry that was recorded from a day on, and the balance after the last of them."""

    balance: int
    sums: Sequence[ProductDay]


_readers: Registry[Callable[[UUID, tzinfo, date], KeptDays | None]] = Registry("reader of daily sums")


def register_reader(name: str, reader: Callable[[UUID, tzinfo, date], KeptDays | None]) -> None:
    """Let the days be read from sums that are kept, as a busy account has many entries in a month.

    The reader has no answer where none are kept, or their days are those of another zone.
    """
    _readers.register(name, reader)


def days_of_burn(account_id: UUID, *, now: datetime, zone: tzinfo, days: int) -> list[DayOfBurn]:
    """The last `days` days with today, oldest first. A reversal takes nothing back of the day that was charged."""
    today = now.astimezone(zone).date()
    asked = [today - timedelta(days=days - 1 - place) for place in range(days)]
    for reader in _readers.values():
        kept = reader(account_id, zone, asked[0])
        if kept is not None:
            return _of_sums(kept, asked)
    return _of_entries(account_id, asked, zone)


def _of_sums(kept: KeptDays, days: Sequence[date]) -> list[DayOfBurn]:
    """From the balance of now back, day by day."""
    spent: dict[date, dict[UUID | None, int]] = {}
    moved: dict[date, int] = {}
    for line in kept.sums:
        moved[line.day] = moved.get(line.day, 0) + line.moved
        if line.spent:
            spent.setdefault(line.day, {})[line.product_id] = line.spent
    balance = kept.balance - sum(amount for day, amount in moved.items() if day > days[-1])
    found = []
    for day in reversed(days):
        found.append(DayOfBurn(day, spent.get(day, {}), balance))
        balance -= moved.get(day, 0)
    return found[::-1]


def _of_entries(account_id: UUID, days: Sequence[date], zone: tzinfo) -> list[DayOfBurn]:
    since = datetime.combine(days[0], time(), zone)
    # With an end: a row of the end of the calendar has a day in the zone that no date here can be.
    until = datetime.combine(days[-1] + timedelta(days=1), time(), zone)
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
    for day in days:
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
