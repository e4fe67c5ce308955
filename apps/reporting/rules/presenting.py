"""A document as headings, columns and texts: what page, mail and files have in common, so that they cannot differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from apps.core.moments import in_zone, zone_of
from apps.core.texts import make_visible
from apps.reporting.rules.document import Document, Group, Line, Unit, show, show_number

_NOTHING_TO_COMPARE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line in words."""

    label: str
    figure: str
    compared: Sequence[str]
    note: str
    link: str
    is_alarm: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One group in words; `more` says how much of its list is not shown."""

    key: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Row]
    link: str
    more: str
    empty: str


@dataclass(frozen=True, slots=True)
class Chapter:
    """One section in words."""

    key: str
    title: str
    note: str
    tables: Sequence[Table]

    @property
    def has_columns(self) -> bool:
        """Whether a table compares its figures with others, and so takes the width of the page."""
        return any(table.heads for table in self.tables)


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that differs between two revisions; an empty text where one has no such line."""

    where: str
    before: str
    after: str


def day_in_words(day: date) -> str:
    """The day as people write it: "3 November 2026"."""
    return f"{day.day} {day:%B %Y}"


def in_one_line(text: str) -> str:
    """What others named, for one line: it begins none of its own, and turns nothing around that stands beside it."""
    return make_visible(" ".join(text.split()))


def chapters_of(document: Document) -> list[Chapter]:
    """The document in words, in its order."""
    return [
        Chapter(section.key, section.title, section.note, [_table(group) for group in section.groups])
        for section in document.sections
    ]


def made_in_words(document: Document) -> str:
    """When the figures were read, by the clock of the report's zone."""
    made = in_zone(document.made_at, zone_of(document.scope.zone))
    return f"{made:%-d %B %Y, %H:%M} ({document.scope.zone.replace('_', ' ')})"


def text_of(document: Document) -> str:
    """The document as plain text, for mails."""
    parts = []
    for chapter in chapters_of(document):
        parts.append(chapter.title.upper())
        if chapter.note:
            parts.append(chapter.note)
        parts += [
            "\n".join([table.title, *(_text_line(row, table) for row in table.rows), *_text_end(table)])
            for table in chapter.tables
        ]
    return "\n\n".join(parts)


def changes_between(before: Document, after: Document) -> list[Change]:
    """Every line whose figure, note or alarm differs between two revisions of a day, in the order of the newer one."""
    old, new = _lines_by_place(before), _lines_by_place(after)
    places = [*new, *(place for place in old if place not in new)]
    return [
        Change(_where(place, old, new), _told(old.get(place)), _told(new.get(place)))
        for place in places
        if _told(old.get(place)) != _told(new.get(place))
    ]


_Place = tuple[str, str, str]


def _lines_by_place(document: Document) -> dict[_Place, tuple[str, Line]]:
    return {
        (section.key, group.key, line.key): (f"{section.title}, {group.title}: {in_one_line(line.label)}", line)
        for section in document.sections
        for group in section.groups
        for line in group.lines
    }


def _where(place: _Place, old: dict[_Place, tuple[str, Line]], new: dict[_Place, tuple[str, Line]]) -> str:
    return (new.get(place) or old[place])[0]


def _told(found: tuple[str, Line] | None) -> str:
    if found is None:
        return ""
    line = found[1]
    note = f" ({in_one_line(line.note)})" if line.note else ""
    return f"{in_one_line(show(line.value, line.unit, line.currency))}{note}{' !' if line.is_alarm else ''}"


def _table(group: Group) -> Table:
    more = f"{group.left_out:,} more" if group.left_out else ""
    return Table(
        group.key, group.title, group.heads, [_row(line) for line in group.lines], group.link, more, group.empty
    )


def _row(line: Line) -> Row:
    compared = [
        _NOTHING_TO_COMPARE if found.value is None else show_number(found.value, _bare(line.unit), line.currency)
        for found in line.compared
    ]
    figure = in_one_line(show(line.value, line.unit, line.currency))
    return Row(in_one_line(line.label), figure, compared, in_one_line(line.note), line.link, line.is_alarm)


def _bare(unit: Unit) -> Unit:
    # What is compared with a text is a number all the same.
    return Unit.COUNT if unit is Unit.TEXT else unit


def _text_line(row: Row, table: Table) -> str:
    compared = "; ".join(f"{head.lower()} {text}" for head, text in zip(table.heads, row.compared, strict=True))
    asides = f" ({'; '.join(part for part in (compared, row.note) if part)})" if compared or row.note else ""
    return f"  {'! ' if row.is_alarm else ''}{row.label}: {row.figure}{asides}"


def _text_end(table: Table) -> list[str]:
    if not table.rows:
        return [f"  {table.empty}"]
    return [f"  {table.more}"] if table.more else []
