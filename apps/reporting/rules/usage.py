"""Adds days up to timeframes (spec 07, Usage)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Sequence
from datetime import date
from decimal import Context, Decimal
from typing import TypeVar

from apps.reporting.rules.windows import Timeframe

# Enough for every sum of stored quantities, so that no digit is rounded away.
_EXACT = Context(prec=200)

Key = TypeVar("Key", bound=Hashable)


def add_up(frames: Sequence[Timeframe], figures: Iterable[tuple[Key, date, Decimal]]) -> dict[Key, list[Decimal]]:
    """By key, the exact sum of each timeframe, zeros too. A day outside the window counts nowhere."""
    starts = [frame.start for frame in frames]
    sums: dict[Key, list[Decimal]] = {}
    for key, day, figure in figures:
        place = bisect_right(starts, day) - 1
        if place >= 0 and day < frames[place].end:
            row = sums.setdefault(key, [Decimal(0)] * len(frames))
            row[place] = _EXACT.add(row[place], figure)
    return sums


def total(figures: Iterable[Decimal]) -> Decimal:
    """Their exact sum."""
    found = Decimal(0)
    for figure in figures:
        found = _EXACT.add(found, figure)
    return found


def plain(figure: Decimal) -> str:
    """The shortest decimal text: "1.5", "0", never with an exponent."""
    text = f"{figure:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def grouped(figure: Decimal) -> str:
    """The same for people, with thousands apart: "1,234.5"."""
    whole, dot, rest = plain(figure).partition(".")
    return f"{int(whole):,}{dot}{rest}" if whole != "-0" else f"{whole}{dot}{rest}"
