"""Reads a CSV that anybody may have written: its encoding, its delimiter, its columns (spec 06, Sync run).

What can't be told for certain is refused in words. An answer that is no table at all is never an empty one: a month
without records is a header line alone.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from apps.connectors.contracts import ProviderError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
# What a server may name; anything else is refused.
_CHARSETS = {
    "utf-8": "UTF-8",
    "us-ascii": "UTF-8",
    "ascii": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16le": "UTF-16",
    "utf-16be": "UTF-16",
    "iso-8859-1": "Latin-1",
    "latin1": "Latin-1",
    "latin-1": "Latin-1",
    "iso-8859-15": "Latin-9",
    "windows-1252": "Windows-1252",
    "cp1252": "Windows-1252",
}
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_LOOKED_AT = 4_096


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV whose header was read: `rows` begins after it."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    text: str

    @property
    def form(self) -> str:
        """How it was read, for people."""
        return f"CSV in {self.encoding}, cells separated by {_DELIMITERS[self.delimiter]}"

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The number of each line and its cells that are not empty, without blank lines; raises `ProviderError`."""
        lines = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter, strict=True)
        try:
            for cells in lines:
                if any(cell.strip() for cell in cells) and not _is_header(cells, self.columns):
                    yield lines.line_num, self._named(cells, lines.line_num)
        except csv.Error:
            raise unreadable(
                f"line {lines.line_num} of the CSV has a quotation mark that is not closed, or stands inside a cell"
            ) from None

    def _named(self, cells: list[str], number: int) -> dict[str, str]:
        if len(cells) != len(self.columns):
            raise unreadable(f"line {number} of the CSV has {len(cells)} cells, the header has {len(self.columns)}")
        return {name: cell.strip() for name, cell in zip(self.columns, cells, strict=True) if cell.strip()}


def read_table(body: bytes, *, charset: str, needed: Sequence[str], known: Sequence[str]) -> Table:
    """The table of an answer, whose server may have named a charset. Raises `ProviderError` that says what is wrong."""
    text, encoding = _decode(body, charset)
    _refuse_other_forms(text)
    text, announced = _without_announcement(text)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = announced or max(_DELIMITERS, key=lambda found: _count_known(first, found, known))
    columns = _columns(first, delimiter)
    _check_columns(columns, needed, known)
    return Table(encoding, delimiter, columns, text)


def unreadable(what: str) -> ProviderError:
    """An answer that can't be read as what it should be: a failure, never an empty month."""
    return ProviderError(f"The answer can't be read: {what}.", is_permanent=True, code="answer_unreadable")


def _decode(body: bytes, charset: str) -> tuple[str, str]:
    if not body.strip():
        raise unreadable("it is empty. A month without records is a header line alone")
    for mark, codec, name in _MARKS:
        if body.startswith(mark):
            return _decoded(body, codec, name), name
    named = charset.strip().strip('"').lower()
    if named and named not in _CHARSETS:
        raise unreadable(f"its server names the charset {named[:40]!r}, which is not known here. Send UTF-8")
    zeros = body[:_LOOKED_AT].count(0)
    if zeros and named not in {"utf-16", "utf-16le", "utf-16be"}:
        # Every second byte of Latin letters in UTF-16 is zero; which one tells the order.
        is_low_first = body[1:_LOOKED_AT:2].count(0) > zeros // 2
        return _decoded(body, "utf-16-le" if is_low_first else "utf-16-be", "UTF-16"), "UTF-16"
    name = _CHARSETS.get(named, "UTF-8")
    return _decoded(body, "utf-8" if name == "UTF-8" else named, name), name


def _decoded(body: bytes, codec: str, name: str) -> str:
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise unreadable(
            f"line {line} is not {name}. Send UTF-8, or name the charset, as in Content-Type: text/csv; "
            "charset=iso-8859-1"
        ) from None
    if "\x00" in text:
        raise unreadable("it holds zero bytes, so it is no text")
    return text


def _refuse_other_forms(text: str) -> None:
    begin = text.lstrip()[:200].lower()
    if not begin:
        raise unreadable("it is empty. A month without records is a header line alone")
    if begin.startswith("<"):
        raise unreadable("it is a web page or XML, not CSV. Does the address lead to a sign-in page?")
    if begin.startswith(("{", "[")):
        raise unreadable("it is JSON, not CSV. Choose JSON as the format in the connector's settings")


def _without_announcement(text: str) -> tuple[str, str]:
    """The text without Excel's first line `sep=;`, and the delimiter that it names."""
    first, _, rest = text.partition("\n")
    announced = first.strip().removeprefix("sep=")
    if announced != first.strip() and announced in {*_DELIMITERS, ""}:
        return rest, announced or "\t"
    return text, ""


def _columns(line: str, delimiter: str) -> tuple[str, ...]:
    cells = next(csv.reader([line], delimiter=delimiter), [])
    return tuple(cell.strip().lower() for cell in cells)


def _count_known(line: str, delimiter: str, known: Sequence[str]) -> int:
    return len({*_columns(line, delimiter)} & {*known})


def _check_columns(columns: Sequence[str], needed: Sequence[str], known: Sequence[str]) -> None:
    if not {*columns} & {*known}:
        raise unreadable(f"its first line names none of the columns {', '.join(known)}")
    for name in columns:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise unreadable(f"the column {name[:64]!r} is not known{f'. Did you mean {near[0]}?' if near else ''}")
    twice = [name for name in known if columns.count(name) > 1]
    if twice:
        raise unreadable(f"the column {twice[0]} is there {columns.count(twice[0])} times")
    missing = [name for name in needed if name not in columns]
    if missing:
        raise unreadable(f"the column {' and the column '.join(missing)} is missing")


def _is_header(cells: Sequence[str], columns: Sequence[str]) -> bool:
    return tuple(cell.strip().lower() for cell in cells) == tuple(columns)
