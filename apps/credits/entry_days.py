"""Entries by the day on which they were recorded, and what a filter's entries come to, for the Credits page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from itertools import groupby
from typing import Any
from uuid import UUID

from apps.core.amounts import show_column, show_micro
from apps.core.moments import in_zone, write_day
from apps.core.texts import name_operation
from apps.credits.enums import EntryKind
from apps.credits.messages import EntryLine
from apps.credits.selectors.entry_sums import EntryDays, EntrySum, entry_sums, filtered_days
from apps.credits.selectors.statement import USES, EntryFilter

_OTHER_KINDS: Mapping[str, str] = {
    EntryKind.GRANT: "Granted",
    EntryKind.EXPIRY: "Expired unused",
    EntryKind.VOID: "Withdrawn",
    EntryKind.ADJUSTMENT: "Removed by our billing team",
}


@dataclass(frozen=True, slots=True)
class DayOfEntries:
    """The page's entries of one day; `sums` is about all of the day's that the filter lets through."""

    name: str
    sums: str
    lines: Sequence[EntryLine]


@dataclass(frozen=True, slots=True)
class TotalRow:
    """What the entries of one operation, or of one kind that is no usage, come to."""

    name: str
    note: str
    amount: str


@dataclass(frozen=True, slots=True)
class Total:
    """The rows, those that cost most first, and their sum."""

    rows: Sequence[TotalRow]
    amount: str


@dataclass(frozen=True, slots=True)
class Statement:
    """The page's entries by day, and the total of the filter where it names its days."""

    days: Sequence[DayOfEntries]
    total: Total | None


def statement_of(
    account_id: UUID, wanted: EntryFilter, lines: Sequence[EntryLine], products: Mapping[Any, str], zone: tzinfo
) -> Statement:
    """Put the lines under their days. One statement adds up whatever is shown, from the daily rollups."""
    grouped = [(day, list(found)) for day, found in groupby(lines, lambda line: _day_of(line, zone))]
    if not grouped:
        return Statement([], None)
    whole = filtered_days(wanted, zone)
    shown = [day for day, _ in grouped]
    # Of days that are named one by one the span is not asked for: the last that there is has no day after it.
    first, until = whole or (min(shown), max(shown))
    days = EntryDays(str(zone), first, until, only=None if whole else shown)
    sums = entry_sums(account_id, wanted, days)
    total = _total(sums, products) if whole and sums is not None else None
    return Statement([_day(day, found, sums or (), zone) for day, found in grouped], total)


def _day_of(line: EntryLine, zone: tzinfo) -> date:
    return in_zone(line.entry.recorded_at, zone).date()


def _day(day: date, lines: Sequence[EntryLine], sums: Sequence[EntrySum], zone: tzinfo) -> DayOfEntries:
    of_day = [found for found in sums if found.day == day]
    spent = -sum(found.amount for found in of_day if found.kind in USES)
    words = [f"{show_micro(spent)} spent"] if spent > 0 else []
    words += [f"{show_micro(-spent)} given back"] if spent < 0 else []
    for kind, name in _OTHER_KINDS.items():
        amount = abs(sum(found.amount for found in of_day if found.kind == kind))
        words += [f"{show_micro(amount)} {name.lower()}"] if amount else []
    return DayOfEntries(write_day(lines[0].entry.recorded_at, zone), " · ".join(words), lines)


def _total(sums: Sequence[EntrySum], products: Mapping[Any, str]) -> Total:
    found: dict[tuple[str, str], int] = {}
    for each in sums:
        product = products.get(each.product_id, "no product")
        key = (name_operation(each.operation), product) if each.kind in USES else (_OTHER_KINDS[each.kind], "")
        found[key] = found.get(key, 0) + each.amount
    rows = sorted(found.items(), key=lambda item: (item[1], item[0]))
    *shown, amount = show_column([*(value for _, value in rows), sum(found.values())])
    return Total([TotalRow(name, note, text) for ((name, note), _), text in zip(rows, shown, strict=True)], amount)
