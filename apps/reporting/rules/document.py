"""The daily report as data: one versioned document, which every page, mail and file is made from (spec 07).

A document holds sections, a section groups, a group lines. A line is one figure: an integer in its unit (or a text for
what is no number), with the link to the list behind it. All lines of a group are compared with the same things, in the
same order. A stored document is never changed; `read_document` takes every version that was ever stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from apps.core.amounts import MICRO, format_micro, format_minor
from apps.core.enums import TextEnum
from apps.core.moments import read_day, read_moment

VERSION = 1
# A group shows the most urgent lines; the rest stand behind its link, counted in `left_out`.
MOST_LINES = 50


class Unit(TextEnum):
    """What a line's figure is an integer of; only `TEXT` is none."""

    COUNT = "count", "Number"
    CREDITS = "credits", "Micro-credits"
    MONEY = "money", "Minor units of the line's currency"
    DAYS = "days", "Days"
    TEXT = "text", "Text"


class DocumentError(ValueError):
    """The text is no document that we wrote."""


@dataclass(frozen=True, slots=True)
class ReportScope:
    """Whose report: an organization's, or the platform's where `organization_id` is None.

    `zone` is the name of the zone that the day is cut in; the platform's is UTC. `workspace_slug` is the workspace
    under whose address the links of an organization's report lead, empty where it has none.
    """

    organization_id: UUID | None
    name: str
    zone: str
    workspace_slug: str = ""

    @property
    def is_platform(self) -> bool:
        """Whether it is the platform's."""
        return self.organization_id is None


@dataclass(frozen=True, slots=True)
class Window:
    """The moments whose news belong to the report: from `start` until before `end`.

    One report's window begins where that of the report before ended, so that each event is news once, whatever happens
    to the zone meanwhile.
    """

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a line's figure is compared with, in the line's unit; None where there is nothing to compare with."""

    label: str
    value: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. `key` says the same thing in every report of the scope; two revisions are compared by it.

    `value` is None where it can't be known (a runway without any use). `link` is a path of ours, or empty. `is_alarm`:
    somebody should look at it. `note` is plain text for people.
    """

    key: str
    label: str
    value: int | str | None
    unit: Unit = Unit.COUNT
    currency: str = ""
    link: str = ""
    note: str = ""
    is_alarm: bool = False
    compared: tuple[Comparison, ...] = ()

    def __post_init__(self) -> None:
        is_text = isinstance(self.value, str)
        if self.value is not None and is_text != (self.unit is Unit.TEXT):
            raise ValueError(f"The line {self.key!r} has a value of another kind than its unit {self.unit}.")
        if (self.unit is Unit.MONEY) != bool(self.currency):
            raise ValueError(f"The line {self.key!r} has a currency without money, or money without one.")


@dataclass(frozen=True, slots=True)
class Group:
    """Lines under one heading; `link` leads to the whole list, `left_out` is how many of it are not shown here.

    `empty` is what stands there without lines.
    """

    key: str
    title: str
    lines: tuple[Line, ...] = ()
    link: str = ""
    left_out: int = 0
    empty: str = "None."

    def __post_init__(self) -> None:
        if len({tuple(found.label for found in line.compared) for line in self.lines}) > 1:
            raise ValueError(f"The lines of the group {self.key!r} are compared with different things.")
        if len({line.key for line in self.lines}) < len(self.lines):
            raise ValueError(f"Two lines of the group {self.key!r} have the same key.")

    @property
    def heads(self) -> tuple[str, ...]:
        """The headings of the columns of comparisons."""
        return tuple(found.label for found in self.lines[0].compared) if self.lines else ()


@dataclass(frozen=True, slots=True)
class Section:
    """What one subject has to say."""

    key: str
    title: str
    groups: tuple[Group, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if len({group.key for group in self.groups}) < len(self.groups):
            raise ValueError(f"Two groups of the section {self.key!r} have the same key.")


@dataclass(frozen=True, slots=True)
class Document:
    """One report. `made_at` is when its figures were read."""

    scope: ReportScope
    day: date
    window: Window
    made_at: datetime
    sections: tuple[Section, ...]

    @property
    def alarms(self) -> int:
        """How many lines somebody should look at."""
        return sum(line.is_alarm for section in self.sections for group in section.groups for line in group.lines)


def show(value: int | str | None, unit: Unit, currency: str = "") -> str:
    """A figure as people read it, the same in every rendering: "1,250.5 credits", "3 days", "12.50 EUR"."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, str):
        return value
    number = show_number(value, unit, currency)
    match unit:
        case Unit.CREDITS:
            return f"{number} credit" if abs(value) == MICRO else f"{number} credits"
        case Unit.DAYS:
            return f"{number} day" if abs(value) == 1 else f"{number} days"
        case _:
            return number


def show_number(value: int, unit: Unit, currency: str = "") -> str:
    """The figure without its unit, but with its currency: "1,250.5", "3", "12.50 EUR"."""
    if unit is Unit.MONEY:
        return format_minor(value, currency, is_grouped=True)
    if unit is not Unit.CREDITS:
        return f"{value:,}"
    whole, dot, places = format_micro(abs(value)).partition(".")
    return f"{'-' if value < 0 else ''}{int(whole):,}{dot}{places}"


def dump_document(document: Document) -> dict[str, Any]:
    """The document as JSON values, with its version."""
    return {"version": VERSION, **_plain_fields(document)}


def read_document(values: Mapping[str, Any]) -> Document:
    """The document of stored JSON values. Raises `DocumentError`."""
    if values.get("version") != VERSION:
        raise DocumentError(f"The document has version {values.get('version')!r}; this release reads {VERSION}.")
    try:
        return Document(
            scope=_scope(values["scope"]),
            day=read_day(values["day"]),
            window=Window(read_moment(values["window"]["start"]), read_moment(values["window"]["end"])),
            made_at=read_moment(values["made_at"]),
            sections=tuple(_section(found) for found in values["sections"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DocumentError(f"The stored document can't be read: {type(error).__name__}: {error}") from error


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _plain_fields(value)
    if isinstance(value, tuple):
        return [_plain(found) for found in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value.value if isinstance(value, TextEnum) else value


def _plain_fields(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _scope(values: Mapping[str, Any]) -> ReportScope:
    organization_id = values["organization_id"]
    return ReportScope(
        UUID(organization_id) if organization_id else None, values["name"], values["zone"], values["workspace_slug"]
    )


def _section(values: Mapping[str, Any]) -> Section:
    return Section(values["key"], values["title"], tuple(_group(found) for found in values["groups"]), values["note"])


def _group(values: Mapping[str, Any]) -> Group:
    lines = tuple(_line(found) for found in values["lines"])
    return Group(values["key"], values["title"], lines, values["link"], values["left_out"], values["empty"])


def _line(values: Mapping[str, Any]) -> Line:
    compared = tuple(Comparison(found["label"], found["value"]) for found in values["compared"])
    return Line(**{**values, "unit": Unit(values["unit"]), "compared": compared})
