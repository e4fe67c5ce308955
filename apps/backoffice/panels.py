"""What a page of the staff plane is made of: facts in pairs, panels in rows. Read side only; no HTML but in cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils.safestring import SafeString

# A cell is plain text, which the template escapes, or HTML made by `apps.backoffice.display`.
Cell = str | SafeString
Row = tuple[Cell, ...]
RecordT = TypeVar("RecordT", bound=Model)

PANEL_ROWS = 10


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to know of a record; `hint` says what it means where the label can't."""

    label: str
    value: Cell
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A short table. `link` leads to the full list, `empty` says what an empty one means."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Row] = field(default_factory=tuple)
    empty: str = "Nothing here yet."
    link: str = ""
    has_more: bool = False
    icon: str = ""

    def labelled_rows(self) -> list[list[tuple[str, Cell]]]:
        """Each cell with its column's header, which a narrow screen shows beside it."""
        return [list(zip(self.headers, row, strict=True)) for row in self.rows]


def panel_of(
    title: str,
    headers: Sequence[str],
    records: QuerySet[RecordT],
    row: Callable[[RecordT], Row],
    *,
    empty: str,
    link: str = "",
    icon: str = "",
) -> Panel:
    """The first few records of an ordered query as a panel: one query, and no count."""
    found = list(records[: PANEL_ROWS + 1])
    rows = [row(record) for record in found[:PANEL_ROWS]]
    return Panel(title, headers, rows, empty=empty, link=link, has_more=len(found) > PANEL_ROWS, icon=icon)
