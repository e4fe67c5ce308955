"""Downloads say what the page says, and nothing in them does harm (spec 07; spec 11, Security baseline)."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import openpyxl
import pytest

from apps.reporting.exports import CSV_COLUMNS, document_csv, document_workbook
from apps.reporting.rules.document import Comparison, Document, Group, Line, ReportScope, Section, Unit, Window
from tests.reporting.test_keep_documents import generate_document

NOW = datetime(2026, 11, 3, 1, tzinfo=UTC)
HOSTILE = (
    "=1+1",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "  =1",
    "\uff1d1",
    '=HYPERLINK("http://evil.example")',
    "http://evil.example",
    "internal:Sheet2!A1",
    'say "yes"',
    "two\nlines",
    "a,b;c",
    "\u202egnp.exe",
    "\u200fright",
    "12345678901234567890",
    "\x00\x07",
    "{=1}",
)


def document_of(*lines: Line, title: str = "Credits") -> Document:
    scope = ReportScope(UUID(int=1), "=cmd|' /C calc'!A0", "Europe/Berlin", "n")
    groups = (Group("g", "Group", lines),)
    return Document(scope, date(2026, 11, 2), Window(NOW, NOW), NOW, (Section("s", title, groups),))


def csv_rows(document: Document) -> list[dict[str, str]]:
    # It begins with the mark by which Excel knows UTF-8.
    text = "".join(document_csv(document, 1)).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_taken_for_a_formula_or_hides_anything(text: str) -> None:
    document = document_of(Line("k", text, text, Unit.TEXT, note=text), title=text)
    (row,) = csv_rows(document)
    for cell in (row["line"], row["value"], row["note"], row["section"]):
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
        assert not set(cell) & {"\u202e", "\u200f", "\x00", "\x07"}
    book = openpyxl.load_workbook(io.BytesIO(document_workbook(document, 1)))
    assert len(book.sheetnames) == 2
    for sheet in book.worksheets:
        for cells in sheet.iter_rows():
            for cell in cells:
                assert cell.data_type in {"s", "n"}, (cell.coordinate, cell.value)
                assert cell.hyperlink is None
                assert not set(str(cell.value)) & {"\u202e", "\u200f", "\x00", "\x07"}


@pytest.mark.parametrize(
    ("value", "unit", "currency", "plain"),
    [
        (1_234_500_000, Unit.CREDITS, "", "1234.5"),
        (1_000_000_000_000, Unit.CREDITS, "", "1000000"),
        (-1, Unit.CREDITS, "", "-0.000001"),
        (1_250, Unit.MONEY, "EUR", "12.5"),
        (1_250, Unit.MONEY, "JPY", "1250"),
        (1_250, Unit.MONEY, "KWD", "1.25"),
        (0, Unit.COUNT, "", "0"),
        (10**18 + 1, Unit.CREDITS, "", "1000000000000.000001"),
        (None, Unit.DAYS, "", ""),
    ],
)
def test_figures_are_exact_numbers_in_whole_units(value: int | None, unit: Unit, currency: str, plain: str) -> None:
    document = document_of(Line("k", "Figure", value, unit, currency, compared=(Comparison("Day before", value),)))
    own, compared = csv_rows(document)
    assert (own["value"], own["compared_with"]) == (plain, "")
    assert (compared["value"], compared["compared_with"]) == (plain, "Day before")
    sheet = openpyxl.load_workbook(io.BytesIO(document_workbook(document, 1))).worksheets[1]
    found = sheet.cell(row=2, column=2).value
    # Longer than a workbook's numbers can be: as text, with every digit.
    assert (str(found) if isinstance(found, str) else found) == (
        None if value is None else plain if len(plain.strip("-0.").replace(".", "")) > 15 else float(plain)
    )


@pytest.mark.parametrize("seed", range(25))
def test_every_line_stands_in_both_files(seed: int) -> None:
    document = generate_document(seed)
    lines = [line for section in document.sections for group in section.groups for line in group.lines]
    rows = csv_rows(document)
    assert len(rows) == sum(1 + len(line.compared) for line in lines)
    assert tuple(rows[0]) == CSV_COLUMNS if rows else not lines
    book = openpyxl.load_workbook(io.BytesIO(document_workbook(document, 3)))
    assert len(book.sheetnames) == len({name.lower() for name in book.sheetnames}) == len(document.sections) + 1
    written = [
        cell.value
        for sheet in book.worksheets[1:]
        for cells in sheet.iter_rows(min_col=2, max_col=2)
        for cell in cells
        if cell.data_type == "n" and cell.value is not None
    ]
    exact = [row["value"] for row in rows if not row["compared_with"]]
    assert all(
        any(Decimal(str(number)) == Decimal(text) for text in exact if text and _is_number(text)) for number in written
    )


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()
