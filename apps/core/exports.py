"""CSV for people's spreadsheets: streamed line by line, and harmless there (spec 11, Security baseline)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo

from apps.core.moments import in_zone
from apps.core.texts import make_visible

# What a spreadsheet may take for the beginning of a formula; the wide forms count too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Line:
    """A file for the CSV writer that hands each line straight back."""

    def write(self, text: str) -> str:
        return text


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header and one line a row; the rows are read as the lines are. Texts from outside go through `harmless`."""
    writer = csv.writer(_Line())
    # The mark by which spreadsheets know that the letters are UTF-8.
    yield f"\ufeff{writer.writerow(columns)}"
    for row in rows:
        yield writer.writerow(row)


def harmless(text: str) -> str:
    """The text with an apostrophe where a spreadsheet would take it for a formula, and with nothing hidden in it."""
    return make_visible(f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text)


def sheet_time(at: datetime, zone: tzinfo) -> str:
    """The moment by the zone's clock, as spreadsheets read it: "2026-04-03 14:05:09"; the column names the zone."""
    return f"{in_zone(at, zone):%Y-%m-%d %H:%M:%S}"
