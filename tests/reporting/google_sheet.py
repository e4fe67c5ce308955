"""A spreadsheet at Google, as its API shows and changes it: the calls that a row of a report needs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.connectors.providers.stand_in import Asked, Reply, reply

SPREADSHEET = "1-a-spreadsheet-of-the-tests"
ACCESS_TOKEN = "ya29.of-the-stand-in"
_DAY_0 = date(1899, 12, 30)


def serial(day: date) -> int:
    """A date as a spreadsheet counts it."""
    return (day - _DAY_0).days


def day_of(number: int) -> date:
    """The date that a spreadsheet counts so."""
    return _DAY_0 + timedelta(days=number)


@dataclass
class GoogleSheet:
    """Tabs by title, each a list of rows. `stops` is answered once instead, after the change where `is_late`."""

    tabs: dict[str, list[list[Any]]] = field(default_factory=lambda: {"Usage": [], "Daily reports": []})
    changes: list[dict[str, Any]] = field(default_factory=list)
    stops: Reply | None = None
    is_late: bool = False

    def answer(self, asked: Asked) -> Reply:
        if f"/v4/spreadsheets/{SPREADSHEET}" not in asked.path:
            return reply({"error": {"code": 404}}, 404)
        if asked.path.endswith(":batchUpdate"):
            return self._change(json.loads(asked.body)["requests"])
        if asked.path.endswith("/values:batchGet"):
            return reply({"valueRanges": [self._values(asked.query["ranges"], asked.query["majorDimension"])]})
        numbers = enumerate(self.tabs)
        return reply({"sheets": [{"properties": {"sheetId": number, "title": title}} for number, title in numbers]})

    def rows(self, title: str = "Daily reports") -> list[dict[str, Any]]:
        """The rows below the names, by column."""
        names, *rows = self.tabs[title]
        return [dict(zip(names, [*row, *[None] * len(names)], strict=False)) for row in rows]

    def _values(self, where: str, dimension: str) -> dict[str, Any]:
        found = re.fullmatch(r"'([^']+)'!(?:1:2|([A-Z]+)2:\2)", where)
        assert found is not None, where
        rows, letters = self.tabs[found[1]], found[2]
        if letters is None:
            assert dimension == "ROWS"
            return {"values": [list(row) for row in rows[:2]]} if rows else {}
        column = 0
        for letter in letters:
            column = column * 26 + ord(letter) - ord("A") + 1
        cells = [row[column - 1] if column <= len(row) else "" for row in rows[1:]]
        return {"values": [["" if cell is None else cell for cell in cells]]} if cells else {}

    def _change(self, requests: list[dict[str, Any]]) -> Reply:
        stops, self.stops = self.stops, None
        if stops is not None and not self.is_late:
            return stops
        for request in requests:
            self.changes.append(request)
            ((kind, body),) = request.items()
            getattr(self, f"_{kind}")(body)
        return stops or reply({"replies": [{} for _ in requests]})

    def _updateCells(self, body: dict[str, Any]) -> None:  # noqa: N802 - Google's name
        start = body["start"]
        rows = self.tabs[list(self.tabs)[start["sheetId"]]]
        for down, row in enumerate(body["rows"]):
            for right, cell in enumerate(row["values"]):
                self._put(rows, start["rowIndex"] + down, start["columnIndex"] + right, cell)

    def _appendCells(self, body: dict[str, Any]) -> None:  # noqa: N802 - Google's name
        rows = self.tabs[list(self.tabs)[body["sheetId"]]]
        for row in body["rows"]:
            place = len(rows)
            for column, cell in enumerate(row["values"]):
                self._put(rows, place, column, cell)

    @staticmethod
    def _put(rows: list[list[Any]], down: int, right: int, cell: dict[str, Any]) -> None:
        entered = cell.get("userEnteredValue", {})
        assert set(entered) <= {"stringValue", "numberValue"}, entered
        while len(rows) <= down:
            rows.append([])
        row = rows[down]
        row += [None] * (right + 1 - len(row))
        row[right] = entered.get("stringValue", entered.get("numberValue"))
