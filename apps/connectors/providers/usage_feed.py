"""A feed of usage or cost from an HTTPS address that the tenant typed: paged JSON, or CSV (spec 09, usage_feed).

The address is asked through the outgoing guard. A CSV is one page at the feed and read here in pieces, so that no
page of records grows with it; the cursor names the piece and the very file, and a file that changed is read anew.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from apps.connectors.contracts import (
    CheckResult,
    Month,
    Provider,
    ProviderError,
    ProviderRecord,
    ProviderSettings,
    RecordPage,
)
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.providers.http import fetch, fetch_json, parse, to_json_values
from apps.core.enums import UsageCategory
from apps.core.moments import read_iso_moment
from apps.core.outgoing import Call, RefusedAddressError
from apps.core.outgoing.addresses import checked_url

_QUANTITY = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
# Headers that steer the request itself, or that a proxy trusts.
_NOT_FOR_KEYS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "cookie"})
_LARGEST_CSV, _LARGEST_JSON = 64 * 1024 * 1024, 8 * 1024 * 1024
_LINES_A_PAGE = 2_000
_MOST_RECORDS_A_PAGE = 10_000
_BEARER = "Authorization"


class UsageFeedSettings(ProviderSettings):
    """`base_url`, the name of the header that carries the key, and the format."""

    base_url: Annotated[
        str,
        Field(
            title="Address",
            description="Of the feed, beginning with https://, reachable from outside.",
            max_length=1_000,
        ),
    ]
    header: Annotated[
        str, Field(title="Header", description="Which carries the key. Authorization sends it as a bearer key.")
    ] = _BEARER
    format: Annotated[Literal["json", "csv"], Field(title="Format", description="What the feed answers with.")] = "json"

    @field_validator("base_url")
    @classmethod
    def _may_be_called(cls, value: str) -> str:
        try:
            checked_url(value)
        except RefusedAddressError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("header")
    @classmethod
    def _is_a_header(cls, value: str) -> str:
        if not _HEADER.fullmatch(value) or value.lower() in _NOT_FOR_KEYS:
            raise ValueError("this can't be the header of a key")
        return value


def _moment(value: Any) -> Any:
    return read_iso_moment(value, needs_offset=True) if isinstance(value, str) else value


def _decimal(value: Any) -> Decimal | None:
    """Decimal strings alone: a JSON number has been a float somewhere on its way."""
    if value is None:
        return None
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise ValueError('must be a decimal string such as "1.5"')
    return Decimal(value)


class _Record(BaseModel):
    """One record as the feed has it. A quantity is a decimal string, an amount is in minor units."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    external_id: Annotated[str, Field(min_length=1, max_length=255)]
    occurred_at: Annotated[AwareDatetime, BeforeValidator(_moment)]
    kind: Literal["usage", "cost", "line"]
    description: Annotated[str, Field(max_length=2_000)] = ""
    quantity: Annotated[Decimal | None, BeforeValidator(_decimal), Field(max_digits=24, decimal_places=9)] = None
    unit: Annotated[str, Field(max_length=64)] = ""
    amount_minor: Annotated[int | None, Field(ge=-(10**15), le=10**15)] = None
    currency: Annotated[str | None, Field(pattern=r"^[A-Z]{3}$")] = None
    category: Literal["regular", "free", "internal"] = "regular"


class _Page(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    records: Annotated[list[dict[str, Any]], Field(max_length=_MOST_RECORDS_A_PAGE)]
    next_cursor: Annotated[str | None, Field(max_length=2_000)] = None


class UsageFeedProvider(Provider):
    """Asks the tenant's address, with the key in the header of the settings."""

    name: ClassVar[str] = "usage_feed"
    label: ClassVar[str] = "Usage feed"
    brings: ClassVar[str] = "usage, costs and lines, as JSON or CSV"
    credential_kind: ClassVar[CredentialKind] = CredentialKind.API_KEY
    settings_form: ClassVar[type[ProviderSettings]] = UsageFeedSettings

    _csv: tuple[Month, str, str] | None = None  # month, digest and text of the file that is being read

    def check(self) -> CheckResult:
        fetch(self.label, self._call(check="1"))
        return CheckResult(f"the feed at {checked_url(self._form.base_url).hostname}")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        if self._form.format == "csv":
            return self._piece_of_csv(month, cursor)
        asked = {"month": str(month), "cursor": cursor} if cursor else {"month": str(month)}
        page = parse(self.label, _Page, fetch_json(self.label, self._call(**asked)))
        if page.next_cursor is not None and page.next_cursor == cursor:
            raise ProviderError("Usage feed: the next cursor is the one that was asked for.", is_permanent=True)
        return RecordPage(tuple(self._record(value) for value in page.records), page.next_cursor or None)

    @property
    def _form(self) -> UsageFeedSettings:
        assert isinstance(self._settings, UsageFeedSettings)  # noqa: S101 - what `settings_form` has made
        return self._settings

    def _call(self, **params: str) -> Call:
        key = self._key()
        value = f"Bearer {key}" if self._form.header == _BEARER else key
        largest = _LARGEST_CSV if self._form.format == "csv" else _LARGEST_JSON
        return Call(self._form.base_url, params=params, secret_headers={self._form.header: value}, largest_body=largest)

    def _record(self, value: dict[str, Any]) -> ProviderRecord:
        record = parse(self.label, _Record, value)
        if (record.amount_minor is None) != (record.currency is None):
            raise ProviderError(
                f"Usage feed: {record.external_id}: an amount and its currency come together.", is_permanent=True
            )
        return ProviderRecord(
            external_id=record.external_id,
            kind=RecordKind(record.kind),
            description=record.description,
            occurred_at=record.occurred_at,
            quantity=record.quantity,
            unit=record.unit,
            amount_minor=record.amount_minor,
            currency=record.currency or "",
            category=UsageCategory(record.category),
            raw=to_json_values(value),
        )

    def _piece_of_csv(self, month: Month, cursor: str | None) -> RecordPage:
        digest, text = self._file(month)
        start, _, of = (cursor or "0:").partition(":")
        # The file changed since the cursor was given: from its beginning; what came before is only upserted again.
        first = int(start) if of == digest and start.isdigit() else 0
        lines = list(islice(self._lines(text), first, first + _LINES_A_PAGE + 1))
        records = tuple(self._record(line) for line in lines[:_LINES_A_PAGE])
        return RecordPage(records, f"{first + _LINES_A_PAGE}:{digest}" if len(lines) > _LINES_A_PAGE else None)

    def _file(self, month: Month) -> tuple[str, str]:
        if self._csv is None or self._csv[0] != month:
            body = fetch(self.label, self._call(month=str(month))).body
            try:
                text = body.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise ProviderError("Usage feed: the CSV is not UTF-8.", is_permanent=True) from None
            self._csv = (month, hashlib.sha256(body).hexdigest()[:16], text)
        return self._csv[1], self._csv[2]

    def _lines(self, text: str) -> Iterator[dict[str, Any]]:
        lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        try:
            for line in lines:
                yield _typed(line)
        except csv.Error as error:
            raise ProviderError(f"Usage feed: line {lines.line_num} of the CSV: {error}.", is_permanent=True) from None


def _typed(line: dict[Any, Any]) -> dict[str, Any]:
    """A line as the JSON form would have it: an empty cell is absent, the amount is a whole number."""
    # A line that is longer or shorter than its header has a cell or a name that is missing.
    values = {str(name): cell for name, cell in line.items() if isinstance(cell, str) and cell}
    if None in line or None in line.values():
        raise ProviderError("Usage feed: a line of the CSV has not as many cells as the header.", is_permanent=True)
    amount = values.get("amount_minor")
    if amount is not None and re.fullmatch(r"-?[0-9]{1,16}", amount, re.ASCII):
        return {**values, "amount_minor": int(amount)}
    return values
