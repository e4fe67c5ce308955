"""A report in words: the text of a mail, and what differs between two revisions (spec 07, Daily report). Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from apps.core.amounts import MICRO
from apps.reporting.rules.document import Comparison, Document, Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.rules.presenting import Change, changes_between, chapters_of, made_in_words, text_of

MADE = datetime(2026, 4, 1, 4, 5, tzinfo=UTC)
SCOPE = ReportScope(UUID(int=1), "Northwind", "America/New_York")


def document(*sections: Section) -> Document:
    return Document(SCOPE, date(2026, 3, 31), Window(MADE, MADE), MADE, sections)


def of_lines(*lines: Line, **values: Any) -> Document:
    return document(Section("s", "Credits", (Group("g", "Consumed", lines, **values),)))


def compared(*values: int | None) -> tuple[Comparison, ...]:
    return tuple(Comparison(label, value) for label, value in zip(("Day before", "Mean"), values, strict=True))


def test_a_whole_report_as_text() -> None:
    runs = Line("runs", "Runs", 12, compared=compared(1_000, None), note="two\nlines")
    used = Line("used", "Used", 2_500_000, Unit.CREDITS, is_alarm=True, compared=compared(MICRO, -MICRO))
    sections = (
        Section("credits", "Credits", (Group("g", "Consumed", (runs, used), left_out=1_200),), note="Since midnight."),
        Section("books", "Books", (Group("none", "Faults", empty="Nothing."), Group("h", "Heads"))),
        Section("empty", "Nothing here"),
    )
    assert text_of(document(*sections)) == (
        "CREDITS\n\n"
        "Since midnight.\n\n"
        "Consumed\n"
        "  Runs: 12 (day before 1,000; mean \N{EN DASH}; two lines)\n"
        "  ! Used: 2.5 credits (day before 1; mean -1)\n"
        "  1,200 more\n\n"
        "BOOKS\n\n"
        "Faults\n"
        "  Nothing.\n\n"
        "Heads\n"
        "  None.\n\n"
        "NOTHING HERE"
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (Line("a", "Runs", 0), "  Runs: 0"),
        (Line("a", "Runs", None, Unit.DAYS, note="never"), "  Runs: \N{EN DASH} (never)"),
        (Line("a", "Head", "ab\n12", Unit.TEXT, compared=compared(5, 1_000)),
            "  Head: ab 12 (day before 5; mean 1,000)"),
        (Line("a", "Paid", 1_250, Unit.MONEY, "EUR", compared=compared(5, None)),
            "  Paid: 12.50 EUR (day before 0.05 EUR; mean \N{EN DASH})"),
    ],
)  # fmt: skip
def test_a_line_is_one_line(line: Line, text: str) -> None:
    assert text_of(of_lines(line)) == f"CREDITS\n\nConsumed\n{text}"


def test_a_chapter_has_columns_where_something_is_compared() -> None:
    [plain] = chapters_of(of_lines(Line("a", "Runs", 0)))
    [wide] = chapters_of(of_lines(Line("a", "Runs", 0, compared=compared(1, 2))))
    assert (plain.has_columns, wide.has_columns) == (False, True)
    assert list(wide.tables[0].heads) == ["Day before", "Mean"]


def test_when_it_was_made_is_told_by_the_clock_of_its_zone() -> None:
    assert made_in_words(document()) == "1 April 2026, 00:05 (America/New York)"


RUNS = Line("a", "Runs", 5)
WHERE = "Credits, Consumed: Runs"


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ((RUNS,), (RUNS,), []),
        ((RUNS,), (replace(RUNS, value=6),), [Change(WHERE, "5", "6")]),
        ((RUNS,), (replace(RUNS, is_alarm=True),), [Change(WHERE, "5", "5 !")]),
        ((RUNS,), (replace(RUNS, note="late"),), [Change(WHERE, "5", "5 (late)")]),
        # Neither where it leads nor what it is compared with is its figure; its name is that of the newer one.
        ((RUNS,), (replace(RUNS, link="/x/", label="Uses", compared=compared(1, 2)),), []),
        ((RUNS,), (replace(RUNS, label="Uses", value=6),), [Change("Credits, Consumed: Uses", "5", "6")]),
        ((), (RUNS,), [Change(WHERE, "", "5")]),
        ((RUNS,), (), [Change(WHERE, "5", "")]),
        # In the order of the newer one, and then what it has no more.
        (
            (Line("gone", "Gone", 1), RUNS, Line("b", "Scans", 2)),
            (Line("b", "Scans", 3), replace(RUNS, value=6)),
            [Change("Credits, Consumed: Scans", "2", "3"), Change(WHERE, "5", "6"),
             Change("Credits, Consumed: Gone", "1", "")],
        ),
    ],
)  # fmt: skip
def test_what_differs_between_two_revisions(
    before: tuple[Line, ...], after: tuple[Line, ...], changes: list[Change]
) -> None:
    assert changes_between(of_lines(*before), of_lines(*after)) == changes
