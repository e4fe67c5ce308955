"""A report is data: what is stored is what was made, whatever stands in it (spec 07, Daily report)."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from apps.reporting.rules.document import (
    VERSION,
    Comparison,
    Document,
    DocumentError,
    Group,
    Line,
    ReportScope,
    Section,
    Unit,
    Window,
    dump_document,
    read_document,
    show,
)
from apps.reporting.sections.registry import sections_of

_WORDS = ("", "Runs", "=1+1", 'a "quoted" name', "two\nlines", "\u202eevil", "caffè ☕", "x" * 500, "<b>bold</b>")
_UNITS = (Unit.COUNT, Unit.CREDITS, Unit.DAYS, Unit.MONEY, Unit.TEXT)


def generate_document(seed: int) -> Document:
    """Any document; the same seed makes the same one."""
    chance = random.Random(seed)  # noqa: S311 - a sample

    def line(number: int, heads: list[str]) -> Line:
        unit = chance.choice(_UNITS)
        figure: int | str = chance.choice(_WORDS) if unit is Unit.TEXT else chance.randrange(-(10**18), 10**18)
        return Line(
            key=f"line-{number}",
            label=chance.choice(_WORDS),
            value=None if chance.random() < 0.1 else figure,
            unit=unit,
            currency=chance.choice(("EUR", "JPY", "KWD")) if unit is Unit.MONEY else "",
            link=chance.choice(("", "/billing/north/usage/?x=1&y=%20")),
            note=chance.choice(_WORDS),
            is_alarm=chance.random() < 0.2,
            compared=tuple(Comparison(head, chance.choice((None, 0, -5, 10**15))) for head in heads),
        )

    def group(number: int) -> Group:
        heads = ["Day before", "28-day mean"][: chance.randrange(3)]
        lines = tuple(line(place, heads) for place in range(chance.randrange(6)))
        return Group(f"group-{number}", chance.choice(_WORDS), lines, "/x/", chance.randrange(3))

    start = datetime(2026, 3, 28, 23, tzinfo=UTC) + timedelta(microseconds=chance.randrange(10**9))
    scope = ReportScope(
        UUID(int=chance.getrandbits(128)) if chance.random() < 0.8 else None,
        chance.choice(_WORDS),
        "Europe/Berlin",
        "n",
    )
    sections = tuple(
        Section(f"s{number}", chance.choice(_WORDS), tuple(group(place) for place in range(chance.randrange(4))))
        for number in range(chance.randrange(5))
    )
    return Document(scope, date(2026, 3, 29), Window(start, start + timedelta(hours=23)), start, sections)


@pytest.mark.parametrize("seed", range(100))
def test_what_is_stored_reads_back_as_it_was(seed: int) -> None:
    document = generate_document(seed)
    stored = json.loads(json.dumps(dump_document(document)))
    assert read_document(stored) == document


def test_every_moment_is_stored_as_that_of_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    document = replace(generate_document(1), made_at=datetime(2026, 4, 1, 1, 30, tzinfo=berlin))
    dumped = dump_document(document)
    assert (dumped["version"], dumped["made_at"]) == (1, "2026-03-31T23:30:00+00:00")
    assert read_document(dump_document(document)) == document


@pytest.mark.parametrize(
    "change",
    [
        {"version": VERSION + 1},
        {"version": None},
        {"scope": None},
        {"day": "yesterday"},
        {"window": {"start": "2026-01-01T00:00:00Z"}},
        {"made_at": "2026-01-01T00:00:00"},
        {"sections": [{"key": "x"}]},
        {"sections": [{"key": "x", "title": "X", "groups": [{"key": "g"}], "note": ""}]},
    ],
)
def test_what_nobody_stored_is_told_apart(change: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        read_document(dump_document(generate_document(1)) | change)


@pytest.mark.parametrize(
    ("value", "unit", "currency", "text"),
    [
        (None, Unit.DAYS, "", "\N{EN DASH}"),
        (0, Unit.COUNT, "", "0"),
        (1_234_567, Unit.COUNT, "", "1,234,567"),
        (1_234_567_800_000, Unit.CREDITS, "", "1,234,567.8 credits"),
        (-500_000, Unit.CREDITS, "", "-0.5 credits"),
        (-1_000_000_000, Unit.CREDITS, "", "-1,000 credits"),
        (1, Unit.DAYS, "", "1 day"),
        (-1, Unit.DAYS, "", "-1 day"),
        (12, Unit.DAYS, "", "12 days"),
        (123_456, Unit.MONEY, "EUR", "1,234.56 EUR"),
        (-123_456, Unit.MONEY, "JPY", "-123,456 JPY"),
        ("ab12", Unit.TEXT, "", "ab12"),
    ],
)
def test_a_figure_reads_the_same_everywhere(value: int | str | None, unit: Unit, currency: str, text: str) -> None:
    assert show(value, unit, currency) == text


def test_what_could_not_be_shown_can_not_be_made() -> None:
    with pytest.raises(ValueError, match="another kind"):
        Line("a", "A", "text", Unit.COUNT)
    with pytest.raises(ValueError, match="another kind"):
        Line("a", "A", 1, Unit.TEXT)
    with pytest.raises(ValueError, match="money"):
        Line("a", "A", 1, Unit.MONEY)
    one, other = Line("a", "A", 1), Line("b", "B", 2, compared=(Comparison("Before", 1),))
    with pytest.raises(ValueError, match="different things"):
        Group("g", "G", (one, other))
    with pytest.raises(ValueError, match="same key"):
        Group("g", "G", (one, one))
    with pytest.raises(ValueError, match="same key"):
        Section("s", "S", (Group("g", "G"), Group("g", "G")))


def test_sections_stand_in_order_and_where_they_belong() -> None:
    for scope in (ReportScope(UUID(int=1), "One", "UTC"), ReportScope(None, "The platform", "UTC")):
        orders = [entry.order for entry in sections_of(scope)]
        assert orders == sorted(orders)
    of_one = {entry.name for entry in sections_of(ReportScope(UUID(int=1), "One", "UTC"))}
    assert "operations" not in of_one
