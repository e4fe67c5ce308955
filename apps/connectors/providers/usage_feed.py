"""A feed of usage or cost from an HTTPS address that the tenant typed: paged JSON, or CSV (spec 09, usage_feed).

The address is asked through the outgoing guard. A CSV is one page at the feed and read here in pieces, so that no
page of records grows with it; the cursor names the piece and the very file, and a file that changed is read anew.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from apps.connectors.contracts import (
    CheckResult,
    DefaultCategory,
    LatestAnswer,
    Month,
    MonthBounds,
    Provider,
    ProviderError,
    ProviderRecord,
    ProviderSettings,
    RecordPage,
)
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.providers.http import fetch, parse, read_json, to_json_values
from apps.connectors.providers.tables import Table, read_table
from apps.core.enums import UsageCategory
from apps.core.moments import NoOffsetError, read_iso_moment
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
_NEEDED = ("external_id", "occurred_at", "kind")
# Of an answer that a person looks at.
_SHOWN = 2_000


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
    default_category: DefaultCategory = ""

    @property
    def key_host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

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
    if not isinstance(value, str):
        return value
    try:
        return read_iso_moment(value, needs_offset=True)
    except NoOffsetError as error:
        raise ValueError(f"{error}".rstrip(".")) from None
    except ValueError:
        raise ValueError('must be a time such as "2026-04-03T09:30:00Z"') from None


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
    category: Literal["regular", "free", "internal"] | None = None


class _Page(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    records: Annotated[list[dict[str, Any]], Field(max_length=_MOST_RECORDS_A_PAGE)]
    next_cursor: Annotated[str | None, Field(max_length=2_000)] = None


class UsageFeedProvider(Provider):
    """Asks the tenant's address, with the key in the header of the settings."""

    name: ClassVar[str] = "usage_feed"
    label: ClassVar[str] = "Usage feed"
    brings: ClassVar[str] = "usage, costs and lines, as JSON or CSV"
    needs: ClassVar[str] = (
        "An address of your own system that answers as the example says, and a key of your choice that it checks. Once "
        "the connector is added, Test it shows what it answers and what we understand."
    )
    credential_kind: ClassVar[CredentialKind] = CredentialKind.API_KEY
    settings_form: ClassVar[type[ProviderSettings]] = UsageFeedSettings
    month_bounds: ClassVar[MonthBounds] = MonthBounds.ORGANIZATION

    _csv: tuple[Month, str, Table] | None = None  # month, digest and content of the file that is being read
    _answer: LatestAnswer | None = None

    def check(self) -> CheckResult:
        fetch(self.label, self._call(check="1"))
        return CheckResult(f"the feed at {checked_url(self._form.base_url).hostname}")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        if self._form.format == "csv":
            return self._piece_of_csv(month, cursor)
        asked = {"month": str(month), "cursor": cursor} if cursor else {"month": str(month)}
        body = fetch(self.label, self._call(**asked)).body
        self._note(body, "JSON")
        page = parse(self.label, _Page, read_json(self.label, body))
        if page.next_cursor is not None and page.next_cursor == cursor:
            raise ProviderError(
                "Usage feed: the next cursor is the one that was asked for.", is_permanent=True, code="cursor_repeats"
            )
        records = (self._record(value, f"record {place}") for place, value in enumerate(page.records, 1))
        return RecordPage(tuple(records), page.next_cursor or None)

    @property
    def latest_answer(self) -> LatestAnswer | None:
        return self._answer

    @property
    def _form(self) -> UsageFeedSettings:
        assert isinstance(self._settings, UsageFeedSettings)  # noqa: S101 - what `settings_form` has made
        return self._settings

    def _call(self, **params: str) -> Call:
        key = self._key()
        value = f"Bearer {key}" if self._form.header == _BEARER else key
        largest = _LARGEST_CSV if self._form.format == "csv" else _LARGEST_JSON
        return Call(self._form.base_url, params=params, secret_headers={self._form.header: value}, largest_body=largest)

    def _record(self, value: dict[str, Any], place: str) -> ProviderRecord:
        named = value.get("external_id")
        label = f"{self.label}, {place}" + (f" ({named[:80]})" if isinstance(named, str) and named else "")
        record = parse(label, _Record, value)
        if (record.amount_minor is None) != (record.currency is None):
            raise ProviderError(f"{label}: an amount and its currency come together.", is_permanent=True)
        category = record.category or self._form.default_category
        if not category:
            raise ProviderError(
                f"{label}: category is missing. Send regular, free or internal, or choose a default in the connector's "
                "settings.",
                is_permanent=True,
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
            category=UsageCategory(category),
            raw=to_json_values(value),
        )

    def _piece_of_csv(self, month: Month, cursor: str | None) -> RecordPage:
        digest, table = self._file(month)
        start, _, of = (cursor or "0:").partition(":")
        # The file changed since the cursor was given: from its beginning; what came before is only upserted again.
        first = int(start) if of == digest and start.isdigit() else 0
        lines = list(islice(table.rows(), first, first + _LINES_A_PAGE + 1))
        records = tuple(self._record(_typed(cells), f"line {number}") for number, cells in lines[:_LINES_A_PAGE])
        return RecordPage(records, f"{first + _LINES_A_PAGE}:{digest}" if len(lines) > _LINES_A_PAGE else None)

    def _file(self, month: Month) -> tuple[str, Table]:
        if self._csv is None or self._csv[0] != month:
            answer = fetch(self.label, self._call(month=str(month)))
            self._note(answer.body, "CSV")
            charset = answer.headers.get("content-type", "").partition("charset=")[2].partition(";")[0]
            needed = _NEEDED if self._form.default_category else (*_NEEDED, "category")
            table = read_table(answer.body, charset=charset, needed=needed, known=tuple(_Record.model_fields))
            self._answer = LatestAnswer(table.text[:_SHOWN], table.form)
            self._csv = (month, hashlib.sha256(answer.body).hexdigest()[:16], table)
        return self._csv[1], self._csv[2]

    def _note(self, body: bytes, form: str) -> None:
        self._answer = LatestAnswer(body[: 2 * _SHOWN].decode("utf-8", "replace")[:_SHOWN], form)


def _typed(cells: dict[str, str]) -> dict[str, Any]:
    """A line as the JSON form would have it: the amount is a whole number."""
    amount = cells.get("amount_minor")
    if amount is not None and re.fullmatch(r"-?[0-9]{1,16}", amount, re.ASCII):
        return {**cells, "amount_minor": int(amount)}
    return {**cells}
