"""Writes one row of a Google sheet: the row that carries its date, else a new one after the last (spec 07).

Columns are found by their names in the first row, so that people may move them and add their own, which are left alone.
A wholly empty tab is given the names. Texts are sent as texts: none becomes a formula, whatever it begins with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from apps.connectors.contracts import ProviderError, Secret
from apps.connectors.oauth.google import google_api_base
from apps.connectors.providers.http import fetch_json, parse
from apps.core.outgoing import Call

_LABEL = "Google Sheets"
_HOST = "sheets.googleapis.com"
# Day 0 of a spreadsheet's dates.
_DAY_0 = date(1899, 12, 30)
_LETTERS = 26
_DIGITS = 15
_NOT_FOUND = 404

Figure = Decimal | str


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row: the day under `date_column`, and the other cells by the names of their columns."""

    date_column: str
    day: date
    cells: Mapping[str, Figure]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the row needs."""
        return (self.date_column, *self.cells)


class _Google(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Properties(_Google):
    sheetId: int  # noqa: N815 - Google's name
    title: str


class _Sheet(_Google):
    properties: _Properties


class _Spreadsheet(_Google):
    sheets: list[_Sheet]


class _Range(_Google):
    values: list[list[Any]] = []


class _Ranges(_Google):
    valueRanges: list[_Range]  # noqa: N815


def write_row(secret: Secret, spreadsheet_id: str, sheet: str, row: SheetRow) -> None:
    """Write the row into the tab `sheet`; doing it again changes nothing more. Raises `ProviderError`.

    A call that adds a row is made once: who repeats it comes here again, and finds the row first.
    """
    calls = _Calls(secret, spreadsheet_id)
    tab = _find_tab(calls, sheet)
    names = _column_names(calls, sheet, tab, row.columns)
    places = {column: names.index(_folded(column)) for column in row.columns}
    number = _find_row(calls, sheet, places[row.date_column], row.day)
    requests = _appended(tab, places, row) if number is None else _updated(tab, places, row, number)
    calls.post(requests)


@dataclass(frozen=True, slots=True)
class _Calls:
    """The calls to one spreadsheet."""

    secret: Secret
    spreadsheet_id: str

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        return self._call(Call(self._url(path), params=params, secret_headers=self._headers(), is_guarded=False))

    def post(self, requests: Sequence[Mapping[str, Any]]) -> None:
        body = {"requests": list(requests)}
        url, headers = self._url(":batchUpdate"), self._headers()
        self._call(Call(url, json=body, secret_headers=headers, is_guarded=False, is_repeatable=False))

    def _call(self, call: Call) -> Any:
        try:
            return fetch_json(_LABEL, call)
        except ProviderError as error:
            if error.is_credential_invalid:
                raise ProviderError(
                    f"{error.sentence} Give the Google account of the connector the right to edit the spreadsheet, and "
                    "allow writing again on the page of report recipients.",
                    is_credential_invalid=True,
                ) from None
            if error.status == _NOT_FOUND:
                raise ProviderError(
                    "The spreadsheet is no longer there, or was moved away.", is_permanent=True
                ) from None
            raise

    def _url(self, path: str) -> str:
        return f"{google_api_base(_HOST)}/v4/spreadsheets/{self.spreadsheet_id}{path}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret.reveal()}"}


def _find_tab(calls: _Calls, sheet: str) -> int:
    """The number of the tab; raises `ProviderError` that names those there are."""
    found = parse(_LABEL, _Spreadsheet, calls.get("", {"fields": "sheets.properties(sheetId,title)"}))
    for one in found.sheets:
        if one.properties.title == sheet:
            return one.properties.sheetId
    titles = ", ".join(one.properties.title for one in found.sheets)
    raise ProviderError(
        f"The spreadsheet has no sheet {sheet!r}; it has {titles}. Rename one of them, or choose another.",
        is_permanent=True,
    )


def _column_names(calls: _Calls, sheet: str, tab: int, needed: Sequence[str]) -> list[str]:
    """The names of the first row, folded; an empty tab is given those that are needed."""
    rows = _values(calls, f"'{sheet}'!1:2", "ROWS")
    if not any(_text(cell) for row in rows for cell in row):
        start = {"sheetId": tab, "rowIndex": 0, "columnIndex": 0}
        heads = [{"values": [{"userEnteredValue": {"stringValue": name}} for name in needed]}]
        calls.post([{"updateCells": {"start": start, "rows": heads, "fields": "userEnteredValue"}}])
        return [_folded(name) for name in needed]
    names = [_folded(_text(cell)) for cell in rows[0]]
    missing = [name for name in needed if _folded(name) not in names]
    if missing:
        raise ProviderError(
            f"The first row of the sheet {sheet!r} names no column {' and no column '.join(missing)}. Add "
            f"{'it' if len(missing) == 1 else 'them'}, in any place.",
            is_permanent=True,
        )
    twice = [name for name in needed if names.count(_folded(name)) > 1]
    if twice:
        raise ProviderError(f"The sheet {sheet!r} has two columns {twice[0]}. Rename one.", is_permanent=True)
    return names


def _find_row(calls: _Calls, sheet: str, column: int, day: date) -> int | None:
    """The index of the first row that carries the day, whether as a date or as a text."""
    letters = _letters(column)
    columns = _values(calls, f"'{sheet}'!{letters}2:{letters}", "COLUMNS")
    serial, text = (day - _DAY_0).days, day.isoformat()
    for place, cell in enumerate(columns[0] if columns else [], start=1):
        if (not isinstance(cell, str | bool) and cell == serial) or _text(cell) == text:
            return place
    return None


def _values(calls: _Calls, where: str, dimension: str) -> list[list[Any]]:
    params = {"majorDimension": dimension, "valueRenderOption": "UNFORMATTED_VALUE"}
    params["dateTimeRenderOption"] = "SERIAL_NUMBER"
    answer = parse(_LABEL, _Ranges, calls.get(f"/values:batchGet?ranges={quote(where, safe='')}", params))
    return answer.valueRanges[0].values if answer.valueRanges else []


def _updated(tab: int, places: Mapping[str, int], row: SheetRow, number: int) -> list[dict[str, Any]]:
    """Each cell by itself, so that the columns of others stay as they are."""
    return [
        {
            "updateCells": {
                "start": {"sheetId": tab, "rowIndex": number, "columnIndex": places[column]},
                "rows": [{"values": [_cell(figure)]}],
                "fields": "userEnteredValue",
            }
        }
        for column, figure in row.cells.items()
    ]


def _appended(tab: int, places: Mapping[str, int], row: SheetRow) -> list[dict[str, Any]]:
    """One row after the last that holds anything: Google finds it in the same step, so that two rows never meet."""
    cells: list[dict[str, Any]] = [{} for _ in range(max(places.values()) + 1)]
    for column, figure in row.cells.items():
        cells[places[column]] = _cell(figure)
    cells[places[row.date_column]] = {
        "userEnteredValue": {"numberValue": (row.day - _DAY_0).days},
        "userEnteredFormat": {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}},
    }
    fields = "userEnteredValue,userEnteredFormat.numberFormat"
    return [{"appendCells": {"sheetId": tab, "rows": [{"values": cells}], "fields": fields}}]


def _cell(figure: Figure) -> dict[str, Any]:
    if isinstance(figure, str):
        return {"userEnteredValue": {"stringValue": figure}} if figure else {"userEnteredValue": {}}
    text = f"{figure:f}"
    if sum(letter.isdigit() for letter in text) > _DIGITS:
        return {"userEnteredValue": {"stringValue": text}}
    # A number of JSON, as the API takes it; up to 15 digits none is changed by that.
    return {"userEnteredValue": {"numberValue": json.loads(text)}}


def _letters(column: int) -> str:
    """The name of a column: 0 is A, 26 is AA."""
    text, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, _LETTERS)
        text = chr(ord("A") + rest) + text
    return text


def _text(cell: Any) -> str:
    return str(cell).strip() if cell is not None else ""


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
