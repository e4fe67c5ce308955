"""A sheet of usage rows at Google, read with the person's authorization (spec 06, the table of providers).

The first row names the columns: `external_id`, `occurred_at`, `description`, `quantity`, `unit`, `amount`, `currency`,
`category`, `kind`; the first two are needed, and `category` where the settings have no default. A row belongs to the
month of its `occurred_at` in the organization's time zone; a time without an offset is in UTC. Rows without an
`external_id` are passed over, as people leave blank rows between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from apps.connectors.contracts import (
    CheckResult,
    DefaultCategory,
    Month,
    MonthBounds,
    OAuthServer,
    Provider,
    ProviderError,
    ProviderRecord,
    ProviderSettings,
    RecordPage,
)
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.oauth.google import GOOGLE, google_api_base
from apps.connectors.providers.http import fetch_json, parse
from apps.core.enums import UsageCategory
from apps.core.moments import read_iso_moment
from apps.core.outgoing import Call
from apps.core.provider_units import minor_from_decimal

_HOST = "sheets.googleapis.com"
_ROWS_A_PAGE = 1_000
_FIRST_ROW = 2
_NEEDED = ("external_id", "occurred_at")
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)


class SheetSettings(ProviderSettings):
    """Which sheet of which spreadsheet; the id is the long part of its address."""

    spreadsheet_id: Annotated[
        str,
        Field(
            title="Spreadsheet",
            description="The long part of its address, between /d/ and /edit.",
            pattern=r"^[A-Za-z0-9_-]{20,100}$",
        ),
    ]
    sheet: Annotated[
        str,
        Field(
            description="The name of the tab with the usage rows.", min_length=1, max_length=100, pattern=r"^[^'!]+$"
        ),
    ] = "Usage"
    default_category: DefaultCategory = ""


class _Google(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Grid(_Google):
    rowCount: int = 0  # noqa: N815 - Google's name


class _Properties(_Google):
    title: str
    gridProperties: _Grid = _Grid()  # noqa: N815


class _Sheet(_Google):
    properties: _Properties


class _Spreadsheet(_Google):
    properties: _Properties
    sheets: list[_Sheet]


class _Range(_Google):
    values: list[list[str]] = []


class _Ranges(_Google):
    valueRanges: list[_Range]  # noqa: N815


class GoogleSheetsProvider(Provider):
    """The usage rows of one sheet."""

    name: ClassVar[str] = "google_sheets"
    label: ClassVar[str] = "Google Sheets"
    brings: ClassVar[str] = "the usage rows of a sheet"
    needs: ClassVar[str] = (
        "The id of the spreadsheet stands in its address, between /d/ and /edit. Authorize it with a Google account "
        "that may open it; we ask for reading alone, until you let daily reports be written there."
    )
    credential_kind: ClassVar[CredentialKind] = CredentialKind.OAUTH
    settings_form: ClassVar[type[ProviderSettings]] = SheetSettings
    month_bounds: ClassVar[MonthBounds] = MonthBounds.ORGANIZATION
    oauth_server: ClassVar[OAuthServer | None] = GOOGLE
    oauth_scopes: ClassVar[tuple[str, ...]] = ("https://www.googleapis.com/auth/spreadsheets.readonly",)
    write_scopes: ClassVar[tuple[str, ...]] = ("https://www.googleapis.com/auth/spreadsheets",)

    def check(self) -> CheckResult:
        spreadsheet, _ = self._spreadsheet()
        return CheckResult(f"the spreadsheet {spreadsheet.properties.title}")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        first = int(cursor) if cursor and cursor.isdecimal() else _FIRST_ROW
        _, rows_in_all = self._spreadsheet()
        last = min(first + _ROWS_A_PAGE - 1, max(rows_in_all, first))
        names, rows = self._rows(first, last)
        read_rows = (self._record(names, row, first + place) for place, row in enumerate(rows))
        records = tuple(record for record in read_rows if record and self._is_within(record.occurred_at, month))
        return RecordPage(records, str(last + 1) if last < rows_in_all else None)

    def _spreadsheet(self) -> tuple[_Spreadsheet, int]:
        fields = "properties.title,sheets.properties(title,gridProperties.rowCount)"
        found = parse(self.label, _Spreadsheet, self._fetch("", {"fields": fields}))
        for sheet in found.sheets:
            if sheet.properties.title == self._sheet:
                return found, sheet.properties.gridProperties.rowCount
        titles = ", ".join(sheet.properties.title for sheet in found.sheets)
        raise ProviderError(f"The spreadsheet has no sheet {self._sheet!r}; it has {titles}.", is_permanent=True)

    def _rows(self, first: int, last: int) -> tuple[list[str], list[list[str]]]:
        ranges = [f"'{self._sheet}'!A1:Z1", f"'{self._sheet}'!A{first}:Z{last}"]
        # Two ranges under one name, which a mapping of parameters can't say.
        path = "/values:batchGet?" + "&".join(f"ranges={quote(found, safe='')}" for found in ranges)
        answer = parse(self.label, _Ranges, self._fetch(path, {"majorDimension": "ROWS"}))
        if len(answer.valueRanges) != len(ranges):
            raise ProviderError(f"{self.label} answered with another number of ranges.", is_permanent=True)
        header = answer.valueRanges[0].values
        names = [name.strip().lower() for name in header[0]] if header else []
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            raise ProviderError(
                f"The first row of the sheet {self._sheet!r} names no column {' and no column '.join(missing)}.",
                is_permanent=True,
            )
        return names, answer.valueRanges[1].values

    def _record(self, names: list[str], row: list[str], number: int) -> ProviderRecord | None:
        cells = {name: value.strip() for name, value in zip(names, row, strict=False)}
        if not cells.get("external_id"):
            return None
        amount, currency = _number(cells, "amount", number), cells.get("currency", "").upper()
        if (amount is None) != (currency == ""):
            raise ProviderError(f"Row {number}: an amount and its currency belong together.", is_permanent=True)
        try:
            occurred_at = read_iso_moment(cells.get("occurred_at", ""))
        except ValueError:
            sentence = f'Row {number}: occurred_at must be a time such as "2026-04-03T09:30:00Z".'
            raise ProviderError(sentence, is_permanent=True) from None
        default = self._settings_of.default_category
        return ProviderRecord(
            external_id=cells["external_id"],
            kind=RecordKind(_chosen(cells, "kind", RecordKind.values, RecordKind.USAGE, number)),
            description=cells.get("description", ""),
            occurred_at=occurred_at,
            quantity=_number(cells, "quantity", number),
            unit=cells.get("unit", ""),
            amount_minor=None if amount is None else minor_from_decimal(amount, currency),
            currency=currency,
            category=UsageCategory(_chosen(cells, "category", UsageCategory.values, default, number)),
            raw={"row": number, **cells},
        )

    def _fetch(self, path: str, params: Mapping[str, str]) -> Any:
        call = Call(
            f"{google_api_base(_HOST)}/v4/spreadsheets/{self._settings_of.spreadsheet_id}{path}",
            params=params,
            secret_headers={"Authorization": f"Bearer {self._key()}"},
            is_guarded=False,  # the address is the operator's
        )
        return fetch_json(self.label, call)

    def _is_within(self, moment: datetime, month: Month) -> bool:
        return month.starts_at(self._zone) <= moment < month.ends_at(self._zone)

    @property
    def _settings_of(self) -> SheetSettings:
        assert isinstance(self._settings, SheetSettings)  # noqa: S101 - validated in the constructor
        return self._settings

    @property
    def _sheet(self) -> str:
        return self._settings_of.sheet


def _chosen(cells: Mapping[str, str], name: str, choices: Sequence[str], default: str, row: int) -> str:
    value = cells.get(name) or default
    if value not in choices:
        what = "is missing" if not value else f"is {value[:40]!r}"
        raise ProviderError(f"Row {row}: {name} {what}; use one of {', '.join(choices)}.", is_permanent=True)
    return value


def _number(cells: Mapping[str, str], name: str, row: int) -> Decimal | None:
    text = cells.get(name, "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise ProviderError(f"Row {row}: {name} is no number with at most 6 places.", is_permanent=True)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ProviderError(f"Row {row}: {name} is no number.", is_permanent=True) from None
