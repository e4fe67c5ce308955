"""The parts of a page: facts and panels. Only cells contain HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils.safestring import SafeString

# A cell is plain text, which the template escapes, or HTML made by `apps.backoffice.cells`.
Cell = str | SafeString
Row = tuple[Cell, ...]
RecordT = TypeVar("RecordT", bound=Model)

PANEL_ROWS = 10


@dataclass(frozen=True, slots=True)
class Fact:
    """A label with a value; `hint` explains the label where needed."""

    label: str
    value: Cell
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A short table. `link` is the URL of the full list; `empty` is shown without rows."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Row] = field(default_factory=tuple)
    empty: str = "Nothing here yet."
    link: str = ""
    has_more: bool = False
    icon: str = ""

    def labelled_rows(self) -> list[list[tuple[str, Cell]]]:
        """Each cell with its column header, which narrow screens show beside it."""
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
    """Show the first records of an ordered query, without counting them."""
    found = list(records[: PANEL_ROWS + 1])
    rows = [row(record) for record in found[:PANEL_ROWS]]
    return Panel(title, headers, rows, empty=empty, link=link, has_more=len(found) > PANEL_ROWS, icon=icon)
