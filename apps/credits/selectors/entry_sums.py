"""What a filter's entries come to, by day, kind and operation: asked here, answered by whoever keeps daily rollups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from uuid import UUID

from apps.core import clock
from apps.core.registry import Registry
from apps.credits.selectors.statement import EntryFilter

# A longer time would read more rollups than a page may (spec 11, Speed).
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class EntrySum:
    """Signed micro-credits of the entries of one kind and operation that were recorded on one day."""

    day: date
    kind: str
    product_id: UUID | None
    operation: str
    amount: int


@dataclass(frozen=True, slots=True)
class EntryDays:
    """Which days, in the zone: those from `first` until before `until`, or those of `only` alone."""

    zone: str
    first: date
    until: date
    only: Sequence[date] | None = None


# None: the days are being cut anew in another zone, so that there are no sums for now.
SumUp = Callable[[UUID, EntryFilter, EntryDays], Sequence[EntrySum] | None]
_sources: Registry[SumUp] = Registry("source of entry sums")


def register_sums(sum_up: SumUp) -> None:
    """Have `sum_up` asked for sums of entries, so that no page adds them up entry by entry."""
    _sources.register("rollups", sum_up)


def entry_sums(account_id: UUID, wanted: EntryFilter, days: EntryDays) -> Sequence[EntrySum] | None:
    """The sums of the wanted entries on these days."""
    return _sources["rollups"](account_id, wanted, days)


def filtered_days(wanted: EntryFilter, zone: tzinfo) -> tuple[date, date] | None:
    """The filter's days, the second one not included; None where it names no first one, or more than a year."""
    if wanted.since is None:
        return None
    first, last = wanted.since.astimezone(zone).date(), clock.now().astimezone(zone).date() + timedelta(days=1)
    until = min(wanted.until.astimezone(zone).date(), last) if wanted.until else last
    return (first, until) if first < until <= first + timedelta(days=MOST_DAYS) else None
