"""Reads a file of balances that a product brings over: the bytes in, lines or faults with their numbers out. Pure.

Spec 02, Cutover; 09, Commands. What spreadsheets do to such files on their way is either harmless and taken (a byte
order mark, semicolons or tabs, blank lines at the end), or refused by its name: a decimal comma, a number in scientific
form, an encoding of Windows. A number is never guessed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from uuid import UUID

from apps.core.amounts import MalformedNumberError, NumberOutOfRangeError, parse_amount
from apps.core.moments import MomentError, read_moment
from apps.core.texts import LINE_REFUSED
from apps.credits.enums import AccountType, GrantType

REQUIRED = ("account_type", "account_id", "balance", "external_ref")
OPTIONAL = ("grant_type", "priority", "expires_at", "note")
COLUMNS = (*REQUIRED, *OPTIONAL)
LONGEST_REF, LONGEST_NOTE = 150, 500
MOST_LINES = 100_000
MOST_FAULTS = 50
DEFAULT_PRIORITY = 100

_SEPARATORS = ",;\t"
_BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK": "a workbook (.xlsx)"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
# What a spreadsheet leaves of a long number, whose last digits are lost for good.
_SHORTENED = re.compile(r"[0-9]([.,][0-9]+)?E\+[0-9]+", re.ASCII)
_PLACES = re.compile(r"-?[0-9]+\.([0-9]{7,})", re.ASCII)
_PRIORITY = re.compile(r"[0-9]{1,3}", re.ASCII)
_HIGHEST_PRIORITY = 255


@dataclass(frozen=True, slots=True)
class BalanceLine:
    """One balance; micro-credits. `number` is the line of the file on which it begins."""

    number: int
    account_type: AccountType
    account_id: UUID
    balance: int
    external_ref: str
    grant_type: GrantType = GrantType.ADJUSTMENT
    priority: int = DEFAULT_PRIORITY
    expires_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class LineFault:
    """What is wrong with a line, and what helps; line 0 is the file as a whole."""

    number: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.sentence}" if self.number else self.sentence


@dataclass(slots=True)
class BalanceFile:
    """A file as it was read. With any fault none of its lines may be used. At most `MOST_FAULTS` are told."""

    lines: list[BalanceLine] = field(default_factory=list)
    faults: list[LineFault] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The sum of all balances, in micro-credits."""
        return sum(line.balance for line in self.lines)


class _RefusedError(ValueError):
    """A cell that can't be taken; its text follows the line's number."""


def read_balance_file(data: bytes, *, now: datetime) -> BalanceFile:
    """Every line of the file, or its faults. An end of a grant must lie after `now`."""
    file = BalanceFile()
    try:
        text = _decode(data)
        rows = _rows(text)
        columns = _read_header(rows)
    except _RefusedError as error:
        file.faults.append(LineFault(0, str(error)))
        return file
    seen: dict[str, int] = {}
    try:
        for number, cells in rows:
            _take(file, number, cells, columns, seen, now)
            if len(file.faults) >= MOST_FAULTS or len(file.lines) > MOST_LINES:
                break
    except _RefusedError as error:
        file.faults.append(LineFault(0, str(error)))
    if len(file.lines) > MOST_LINES:
        file.faults.append(LineFault(0, f"The file has more than {MOST_LINES:,} lines. Split it."))
    if not file.lines and not file.faults:
        file.faults.append(LineFault(0, "The file has a header and no balance."))
    return file


def _decode(data: bytes) -> str:
    for mark, name in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            raise _RefusedError(f'This is {name}. Save it as "CSV UTF-8" and try again.')
    try:
        # Most spreadsheets put a byte order mark in front; it is not part of the first column's name.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise _RefusedError(f'Line {number} is not UTF-8. Save the file as "CSV UTF-8" and try again.') from None
    if not text.strip():
        raise _RefusedError(f"The file is empty. Its first line names the columns: {', '.join(REQUIRED)}.")
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of the line on which it begins."""
    first, _, _ = text.partition("\n")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise _RefusedError(f"Line {number} can't be read as CSV: {error}.") from None
        if any(cells):
            yield number, cells


def _read_header(rows: Iterator[tuple[int, list[str]]]) -> Sequence[str]:
    _, names = next(rows)
    for name in names:
        if name not in COLUMNS:
            close = get_close_matches(name.lower(), COLUMNS)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise _RefusedError(
                f"The first line must name the columns, and {name[:60]!r} is none.{meant} They are: "
                f"{', '.join(COLUMNS)}."
            )
        if names.count(name) > 1:
            raise _RefusedError(f"The first line names the column {name} twice.")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise _RefusedError(f"The first line does not name the column {' and '.join(missing)}.")
    return names


def _take(
    file: BalanceFile, number: int, cells: list[str], columns: Sequence[str], seen: dict[str, int], now: datetime
) -> None:
    if len(cells) != len(columns):
        file.faults.append(LineFault(number, f"it has {len(cells)} cells, the first line names {len(columns)}."))
        return
    try:
        line = _read_line(number, dict(zip(columns, cells, strict=True)), now)
    except _RefusedError as error:
        file.faults.append(LineFault(number, str(error)))
        return
    first = seen.setdefault(line.external_ref, number)
    if first != number:
        file.faults.append(LineFault(number, f"external_ref {line.external_ref!r} stands on line {first} already."))
        return
    file.lines.append(line)


def _read_line(number: int, cells: Mapping[str, str], now: datetime) -> BalanceLine:
    return BalanceLine(
        number=number,
        account_type=AccountType(_one_of("account_type", cells["account_type"], AccountType.values)),
        account_id=_read_id(cells["account_id"]),
        balance=_read_balance(cells["balance"]),
        external_ref=_read_ref(cells["external_ref"]),
        grant_type=GrantType(
            _one_of("grant_type", cells.get("grant_type") or GrantType.ADJUSTMENT.value, GrantType.values)
        ),
        priority=_read_priority(cells.get("priority", "")),
        expires_at=_read_end(cells.get("expires_at", ""), now),
        note=_read_text("note", cells.get("note", ""), LONGEST_NOTE),
    )


def _one_of(column: str, text: str, values: Sequence[str]) -> str:
    if text not in values:
        close = get_close_matches(text.lower(), values)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise _RefusedError(f"{column} is {text[:60]!r}, not one of {', '.join(values)}.{meant}")
    return text


def _read_id(text: str) -> UUID:
    if not _UUID.fullmatch(text):
        raise _RefusedError(f"account_id is {text[:60]!r}, not an id such as 6f1c0a52-….")
    return UUID(text)


def _read_balance(text: str) -> int:
    if _SHORTENED.fullmatch(text):
        raise _RefusedError(f"balance is {text[:60]!r}, which a spreadsheet has shortened. Format the column as text.")
    if "," in text:
        raise _RefusedError(f"balance is {text[:60]!r}. Write it with a point and without thousands, such as 1234.5.")
    places = _PLACES.fullmatch(text)
    if places is not None:
        raise _RefusedError(f"balance is {text[:60]!r}, with {len(places[1])} decimals; a credit has 6.")
    try:
        return parse_amount(text, allow_negative=True)
    except (MalformedNumberError, NumberOutOfRangeError) as error:
        raise _RefusedError(f"balance is {text[:60]!r}. {error}") from None


def _read_ref(text: str) -> str:
    if not text:
        raise _RefusedError("external_ref is empty. It names this balance for ever, such as wallet-17.")
    if _SHORTENED.fullmatch(text):
        raise _RefusedError(
            f"external_ref is {text[:60]!r}, which a spreadsheet has shortened, so that its digits are lost. Export "
            "the file again with the column as text."
        )
    return _read_text("external_ref", text, LONGEST_REF)


def _read_priority(text: str) -> int:
    if not text:
        return DEFAULT_PRIORITY
    if not _PRIORITY.fullmatch(text) or int(text) > _HIGHEST_PRIORITY:
        raise _RefusedError(f"priority is {text[:60]!r}, not a number from 0 to {_HIGHEST_PRIORITY}.")
    return int(text)


def _read_end(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    try:
        moment = read_moment(text)
    except MomentError as error:
        raise _RefusedError(f"expires_at {error}") from None
    if moment <= now:
        raise _RefusedError(f"expires_at is {text}, which is past. Leave the balance out, or give it a later end.")
    return moment


def _read_text(column: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise _RefusedError(f"{column} has {len(text)} characters, {longest} are the most.")
    if LINE_REFUSED.search(text):
        raise _RefusedError(f"{column} has a line break or a character that can't be seen.")
    return text
