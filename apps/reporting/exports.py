"""A daily report as CSV and as a workbook, made when somebody asks for it (spec 07; spec 11, Security baseline)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from apps.core.amounts import MICRO, minor_digits
from apps.core.exports import csv_lines, harmless
from apps.core.texts import make_visible
from apps.reporting.rules.document import Document, Line, Section, Unit
from apps.reporting.rules.presenting import day_in_words, made_in_words

CSV_COLUMNS = (
    *("day", "revision", "section", "group", "line", "compared_with"),
    *("value", "unit", "currency", "check", "note", "link"),
)
_UNITS = {Unit.COUNT: "", Unit.CREDITS: "credits", Unit.MONEY: "money", Unit.DAYS: "days", Unit.TEXT: ""}
# The columns of a sheet, and where their figures stand in an organization's report.
DATE_COLUMN = "Date"
_ROW_FIGURES = {
    "Credits used": ("credits", "consumed", "total"),
    "Credits left": ("credits", "standing", "balance"),
    "Days left": ("credits", "standing", "runway"),
    "Failed payments": ("payments", "news", "failed"),
}
SHEET_COLUMNS = (DATE_COLUMN, *_ROW_FIGURES, "To check", "Revision", "Report")
# A workbook keeps 15 digits of a number; longer ones are written as text, so that none is rounded in silence.
_DIGITS = 15
_LONGEST_CELL = 32_000
_SHEET_NAME = re.compile(r"[\[\]:*?/\\']")
_LONGEST_SHEET_NAME = 31


def document_csv(document: Document, revision: int) -> Iterator[str]:
    """The lines of the CSV file: one row a figure, and one for each that it is compared with."""
    return csv_lines(CSV_COLUMNS, _csv_rows(document, revision))


def document_workbook(document: Document, revision: int) -> bytes:
    """The workbook: a sheet for each section, after one that says whose report it is."""
    file = io.BytesIO()
    # No text becomes a formula, a link or a number: what others named is shown as they wrote it.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    workbook = xlsxwriter.Workbook(file, options)
    bold = workbook.add_format({"bold": True})
    sheet = workbook.add_worksheet("Report")
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 1, 60)
    facts = (
        ("Report of", document.scope.name),
        ("Day", day_in_words(document.day)),
        ("Time zone", document.scope.zone),
        ("As of", made_in_words(document)),
        ("Revision", str(revision)),
        ("To check", str(document.alarms)),
    )
    for row, (label, text) in enumerate(facts):
        sheet.write_string(row, 0, label, bold)
        sheet.write_string(row, 1, _cell(text))
    names: set[str] = {"report"}
    for section in document.sections:
        _write_section(workbook.add_worksheet(_sheet_name(section.title, names)), section, bold)
    workbook.close()
    return file.getvalue()


def document_row(document: Document, revision: int, url: str) -> dict[str, Decimal | str]:
    """One day as a row of a sheet, by the names of its columns, without the date."""
    lines = {
        (section.key, group.key, line.key): line
        for section in document.sections
        for group in section.groups
        for line in group.lines
    }
    found = {column: lines.get(place) for column, place in _ROW_FIGURES.items()}
    figures = {column: _figure(line) if line else "" for column, line in found.items()}
    return {**figures, "To check": Decimal(document.alarms), "Revision": Decimal(revision), "Report": url}


def _figure(line: Line) -> Decimal | str:
    if line.value is None:
        return ""
    return _cell(line.value) if isinstance(line.value, str) else _number(line, line.value)


def _csv_rows(document: Document, revision: int) -> Iterator[Sequence[object]]:
    for section in document.sections:
        for group in section.groups:
            for line in group.lines:
                words = (document.day, revision, harmless(section.title), harmless(group.title), harmless(line.label))
                rest = (_UNITS[line.unit], line.currency, "yes" if line.is_alarm else "no")
                yield (*words, "", _csv_value(line, line.value), *rest, harmless(line.note), line.link)
                for found in line.compared:
                    yield (*words, found.label, _csv_value(line, found.value), *rest[:2], "", "", "")


def _csv_value(line: Line, value: int | str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return harmless(value)
    return f"{_number(line, value):f}"


def _number(line: Line, value: int) -> Decimal:
    """The exact figure in whole units: credits and not micro-credits, euros and not cents."""
    if line.unit is Unit.CREDITS:
        return _divided(value, len(str(MICRO)) - 1)
    if line.unit is Unit.MONEY:
        return _divided(value, minor_digits(line.currency))
    return Decimal(value)


def _divided(value: int, places: int) -> Decimal:
    sign, digits = int(value < 0), tuple(int(digit) for digit in str(abs(value)))
    number = Decimal((sign, digits, -places))
    # Without the zeros behind the dot, of which micro-credits have six.
    whole = number.to_integral_value()
    return whole if number == whole else number.normalize()


def _write_section(sheet: Worksheet, section: Section, bold: object) -> None:
    sheet.set_column(0, 0, 48)
    sheet.set_column(1, 5, 18)
    row = 0
    if section.note:
        sheet.write_string(row, 0, _cell(section.note))
        row += 2
    for group in section.groups:
        heads = (group.title, "Value", "Unit", *group.heads, "Check", "Note")
        for column, head in enumerate(heads):
            sheet.write_string(row, column, _cell(head), bold)
        row += 1
        for line in group.lines:
            _write_line(sheet, row, line)
            row += 1
        if not group.lines:
            sheet.write_string(row, 0, _cell(group.empty))
            row += 1
        if group.left_out:
            sheet.write_string(row, 0, f"{group.left_out} more")
            row += 1
        row += 1


def _write_line(sheet: Worksheet, row: int, line: Line) -> None:
    sheet.write_string(row, 0, _cell(line.label))
    _write_value(sheet, row, 1, line, line.value)
    sheet.write_string(row, 2, line.currency or _UNITS[line.unit])
    for column, found in enumerate(line.compared, start=3):
        _write_value(sheet, row, column, line, found.value)
    column = 3 + len(line.compared)
    sheet.write_string(row, column, "check" if line.is_alarm else "")
    sheet.write_string(row, column + 1, _cell(line.note))


def _write_value(sheet: Worksheet, row: int, column: int, line: Line, value: int | str | None) -> None:
    if value is None:
        return
    if isinstance(value, str):
        sheet.write_string(row, column, _cell(value))
        return
    number = _number(line, value)
    if len(number.as_tuple().digits) + max(int(number.as_tuple().exponent), 0) > _DIGITS:
        sheet.write_string(row, column, f"{number:f}")
    else:
        sheet.write_number(row, column, number)


def _cell(text: str) -> str:
    """Text as a cell may hold it; a string cell is never a formula, whatever it begins with."""
    return make_visible(text)[:_LONGEST_CELL]


def _sheet_name(title: str, taken: set[str]) -> str:
    """A name that a workbook takes: short, without its special characters, and unlike the others in any case."""
    name = _SHEET_NAME.sub(" ", make_visible(title)).strip()[:_LONGEST_SHEET_NAME] or "Section"
    number = 1
    unlike = name
    while unlike.lower() in taken:
        number += 1
        suffix = f" {number}"
        unlike = name[: _LONGEST_SHEET_NAME - len(suffix)] + suffix
    taken.add(unlike.lower())
    return unlike
