"""The contract of a provider: its input and output as frozen values, one abstract class, one error (spec 06).

A provider is a class in a module of `apps.connectors.providers`, made for one connector with its opened credential and
its settings. `check` tries the credential, `fetch_month` reads one page of a month. It writes nothing; the sync does.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from apps.connectors.enums import CredentialKind, RecordKind
from apps.core.enums import UsageCategory
from apps.core.moments import BOUNDS_IN_WORDS, FIRST_YEAR, LAST_YEAR
from apps.core.texts import make_visible

MONTH_PATTERN = r"(20[0-9]{2})-(0[1-9]|1[0-2])"
_MONTH = re.compile(MONTH_PATTERN, re.ASCII)
_LAST_FOUR_OF_AT_LEAST = 12
MONTHS_A_YEAR = 12
_LARGEST_AMOUNT = 2**63 - 1
_QUANTITY = re.compile(r"-?[0-9]{1,24}(\.[0-9]{1,30})?", re.ASCII)
_FURTHEST = 40
_LONGEST_ID, _LONGEST_WORD = 255, 64
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month. `starts_at` takes the time zone of its midnight."""

    year: int
    number: int

    @classmethod
    def read(cls, text: str) -> Month:
        """The month of a text such as `2026-04`; raises `ValueError` for any other form."""
        match = _MONTH.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no month; write it like 2026-04.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    def shifted(self, months: int) -> Month:
        """The month so many months later, or earlier."""
        years, number = divmod(self.year * MONTHS_A_YEAR + self.number - 1 + months, MONTHS_A_YEAR)
        return Month(years, number + 1)

    def starts_at(self, zone: tzinfo = UTC) -> datetime:
        """The first moment of the month in the zone."""
        return datetime(self.year, self.number, 1, tzinfo=zone)

    def ends_at(self, zone: tzinfo = UTC) -> datetime:
        """The first moment after the month."""
        return self.shifted(1).starts_at(zone)


@dataclass(frozen=True, slots=True)
class Secret:
    """An opened credential. Its repr and str never show it; only `reveal` does."""

    kind: CredentialKind
    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The secret, only for the header of a call to the provider."""
        return self._text

    @property
    def last_four(self) -> str:
        """The last four characters, or nothing of a short secret."""
        return self._text[-4:] if len(self._text) >= _LAST_FOUR_OF_AT_LEAST else ""

    def __str__(self) -> str:
        return f"[{self.kind.value}]"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Arguments of a task are pickled and logged.
        raise TypeError("A secret can't be pickled; pass the connector's id.")


class MonthBounds(Enum):
    """Which records belong to a month that a provider is asked for.

    `ORGANIZATION`: those whose `occurred_at` lies in it by the organization's calendar. `UTC`: by the calendar in UTC,
    as the provider itself counts. `PROVIDER`: those that the provider says, such as the lines of an invoice month.
    """

    ORGANIZATION = "organization"
    UTC = "utc"
    PROVIDER = "provider"


class ProviderSettings(BaseModel):
    """The settings of a connector. They hold no secret; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    @property
    def key_host(self) -> str:
        """The host of a tenant's choice that is sent the key; empty where the operator chose it."""
        return ""


DefaultCategory = Annotated[
    Literal["", "regular", "free", "internal"],
    Field(
        title="Category of records without one",
        description="Whether their usage counts as regular, free or internal. Without one each record must say it.",
    ),
]


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """One billing record as the provider has it. `amount_minor` is in the currency's minor units, never a float."""

    external_id: str
    kind: RecordKind
    description: str
    occurred_at: datetime
    quantity: Decimal | None = None
    unit: str = ""
    amount_minor: int | None = None
    currency: str = ""
    category: UsageCategory = UsageCategory.REGULAR
    status: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


def find_problem(record: ProviderRecord) -> str:
    """What is wrong with the record, in words; empty where nothing is."""
    name = record.external_id[:80]
    if not 0 < len(record.external_id) <= _LONGEST_ID or "\x00" in record.external_id:
        return f"its id {name!r} is empty or too long"
    if record.occurred_at.utcoffset() is None:
        return f"{name!r} has a time without a zone"
    if not FIRST_YEAR <= record.occurred_at.year <= LAST_YEAR:
        return f"the time of {name!r} {BOUNDS_IN_WORDS.removesuffix('.')}"
    if max(len(record.unit), len(record.status)) > _LONGEST_WORD:
        return f"{name!r} has a unit or a status of more than {_LONGEST_WORD} characters"
    return _find_figure_problem(record, name)


def _find_figure_problem(record: ProviderRecord, name: str) -> str:
    if (record.amount_minor is None) != (record.currency == ""):
        return f"{name!r} has an amount without a currency, or a currency without an amount"
    if record.amount_minor is not None and not abs(record.amount_minor) <= _LARGEST_AMOUNT:
        return f"{name!r} has an amount beyond all bounds"
    if record.currency and not _CURRENCY.fullmatch(record.currency):
        return f"{name!r} has the currency {record.currency[:8]!r}, which is no ISO code"
    if record.quantity is not None and not _is_storable(record.quantity):
        return f"{name!r} has a quantity that is no number within bounds"
    return ""


def _is_storable(quantity: Decimal) -> bool:
    # Asked before it is written out: the exponent of a hostile one could be a billion.
    is_near = quantity.is_finite() and -_FURTHEST < quantity.adjusted() < _FURTHEST
    return is_near and bool(_QUANTITY.fullmatch(quantity_text(quantity)))


def quantity_text(quantity: Decimal | None) -> str:
    """The quantity as it is stored: 1.5 and 1.50 are one."""
    return "" if quantity is None else f"{quantity.normalize():f}"


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of a month, and the cursor of the next; None after the last. A cursor is opaque to the sync."""

    records: tuple[ProviderRecord, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class LatestAnswer:
    """The beginning of an answer, and in which form it was read."""

    text: str
    form: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a valid credential reached, such as the account's name, for people."""

    reached: str


class ProviderError(Exception):
    """The provider can't be reached, or refused. The sentence is for people and holds no secret.

    `is_credential_invalid`: the credential is refused (401, 403). `is_permanent`: a retry of the same call can't help
    (404, a malformed answer). Otherwise retry, not before `retry_after`. `status` is that of the HTTP answer, `code`
    what programs read of it.
    """

    def __init__(
        self,
        sentence: str,
        *,
        is_permanent: bool = False,
        is_credential_invalid: bool = False,
        retry_after: timedelta | None = None,
        status: int | None = None,
        code: str = "",
    ) -> None:
        # It may quote what the provider sent.
        self.sentence = make_visible(sentence)
        super().__init__(self.sentence)
        self.code = code
        self.is_permanent = is_permanent or is_credential_invalid
        self.is_credential_invalid = is_credential_invalid
        self.retry_after = retry_after
        self.status = status


@dataclass(frozen=True, slots=True)
class OAuthServer:
    """An authorization server, as data; one flow serves them all (`apps.connectors.services.authorizations`).

    `name` is part of its routes and problem codes, `label` of what people read. The settings `CLIENT_ID`,
    `CLIENT_SECRET`, `AUTHORIZE_URL` and `TOKEN_URL` have the prefix. `authorize_parameters` are what it needs to issue
    a refresh token, `revoked_errors` the token errors after which a person must authorize again, and `removal_hint`
    says how people withdraw our access, so that their next consent brings a refresh token.
    """

    name: str
    label: str
    settings_prefix: str
    removal_hint: str
    authorize_parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    revoked_errors: frozenset[str] = frozenset({"invalid_grant"})


class Provider(ABC):
    """One outside system, for one connector. Subclasses are found by `apps.connectors.providers.registry`."""

    name: ClassVar[str]
    label: ClassVar[str]
    brings: ClassVar[str]
    # Where people get what the form asks for, in a sentence or two.
    needs: ClassVar[str] = ""
    credential_kind: ClassVar[CredentialKind]
    settings_form: ClassVar[type[ProviderSettings]] = ProviderSettings
    settlement_lag: ClassVar[timedelta] = timedelta(days=5)
    month_bounds: ClassVar[MonthBounds] = MonthBounds.UTC
    # For the credential kind `oauth`: the server, and the scopes to request there.
    oauth_server: ClassVar[OAuthServer | None] = None
    oauth_scopes: ClassVar[tuple[str, ...]] = ()
    # What writing needs beside: requested only where a person asks for it.
    write_scopes: ClassVar[tuple[str, ...]] = ()
    # Sample data, for demo organizations alone.
    is_demo: ClassVar[bool] = False

    def __init__(self, secret: Secret | None, settings: Mapping[str, Any], zone: tzinfo = UTC) -> None:
        """`zone` is the organization's."""
        self._secret = secret
        self._zone = zone
        self._settings = self.settings_form.model_validate(dict(settings))

    @abstractmethod
    def check(self) -> CheckResult:
        """Try the credential with the cheapest call there is. Raises `ProviderError`."""

    @abstractmethod
    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        """The page at the cursor, or the first. Raises `ProviderError`. The same call brings the same records."""

    @property
    def latest_answer(self) -> LatestAnswer | None:
        """What the outside system answered last, to be shown to a person; None where it is no text for people."""
        return None

    def _key(self) -> str:
        """The opened credential; raises `ProviderError` without one, as the provider's server would refuse."""
        if self._secret is None:
            raise ProviderError(f"{self.label}: the connector has no credential.", is_credential_invalid=True)
        return self._secret.reveal()
