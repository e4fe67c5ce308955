"""The contract of a payment provider: verify, parse, fetch, write; and the look-up of a provider by name.

Each name of `Provider` is the name of a folder here, which declares a `PaymentProvider` as `PROVIDER`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar, Protocol
from uuid import UUID

from apps.core.errors import UnauthenticatedError
from apps.core.outgoing import Answer, Call, OutgoingError, outgoing_call
from apps.payments.contracts import ObjectKind, ObjectSnapshot, ProviderEvent
from apps.subscriptions.enums import Provider

SIGNATURE_TOLERANCE = timedelta(minutes=5)
_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_SIGNATURES = 20
LONGEST_CALL_SECONDS = 15


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, the newest first."""

    events: Sequence[dict[str, Any]] = ()
    has_more: bool = False


class ProviderReader(Protocol):
    """The questions to a provider's API. Both raise `ProviderCallError`; nobody calls them inside a transaction."""

    def fetch_object(self, kind: ObjectKind, external_id: str) -> dict[str, Any] | None:
        """The object as the provider's API answers it; None when it knows none."""
        ...

    def list_events(self, since: datetime, *, until: datetime, after: str = "") -> EventPage:
        """A page of the events between two moments that the provider still knows, in the form of its webhooks.

        The newest first; `after` is the id of the last event of the page before.
        """
        ...


class ProviderApi(ProviderReader, Protocol):
    """A provider's API: the questions, and the customer that each organization gets."""

    def find_customer(self, organization_id: UUID) -> str | None:
        """The id of the customer that is marked with the organization's id; None when there is none."""
        ...

    def create_customer(self, *, key: str, organization_id: UUID, name: str, email: str) -> str:
        """Create the customer, marked with the organization's id. The same key again is the same customer."""
        ...

    def update_customer(self, *, key: str, customer_id: str, email: str) -> None:
        """Let the customer's invoices go to this address from now on."""
        ...


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """What the provider signed, when, and its signatures (HMAC-SHA256 in hexadecimal; several while a secret moves)."""

    signed_at: datetime
    message: bytes
    signatures: Sequence[str]


class PaymentProvider(ABC):
    """One payment provider, declared as `PROVIDER` in its folder."""

    name: ClassVar[Provider]
    key_setting: ClassVar[str]  # the setting that holds the API key

    @abstractmethod
    def read_signature(self, headers: Mapping[str, str], body: bytes) -> SignedMessage:
        """The signature in the headers of a webhook; raises `BadSignatureError` where it is missing or no signature."""

    def hears(self, event_type: str) -> bool:
        """Whether events of this type concern us; the others are kept and not read."""
        return True

    def read_time(self, body: dict[str, Any]) -> datetime | None:
        """When the event happened, read at the door; None where the body does not say so in a way that we know."""
        return None

    @abstractmethod
    def parse_event(self, body: dict[str, Any]) -> ProviderEvent:
        """The event that a webhook's body is; raises `UnreadableError` naming the first field that is wrong."""

    @abstractmethod
    def parse_object(self, kind: ObjectKind, body: dict[str, Any]) -> ObjectSnapshot:
        """An object as `ProviderApi.fetch_object` answers it; raises `UnreadableError`."""

    @abstractmethod
    def connect(self) -> ProviderApi | None:
        """The API with the key of the settings; None while there is none."""


class BadSignatureError(UnauthenticatedError):
    """The signature is missing, wrong or outside the tolerance. The body is neither read nor stored."""

    code = "bad_signature"
    title = "The signature is not good"


def require_signature(
    provider: PaymentProvider, headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: datetime
) -> None:
    """Raise `BadSignatureError` unless one of the secrets signed exactly this body just now (spec 04; spec 09).

    The signature covers its time, which must be within `SIGNATURE_TOLERANCE` of ours on either side: an old body can be
    a replay, and one from the future would stay good for as long as its sender likes.
    """
    if not secrets:
        raise BadSignatureError(f"No signing secret of {provider.name.label} is configured here.")
    signed = provider.read_signature(headers, body)
    given = [value for value in signed.signatures if _HEX.fullmatch(value)]
    if not given or len(signed.signatures) > _MOST_SIGNATURES:
        raise BadSignatureError("The signature is missing.")
    if abs(now - signed.signed_at) > SIGNATURE_TOLERANCE:
        raise BadSignatureError("The signature was made too long ago, or its time lies in the future.")
    expected = [hmac.new(secret.encode(), signed.message, hashlib.sha256).hexdigest() for secret in secrets]
    # Every pair is compared, so that the time taken tells nothing about which one fits.
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(fits):
        raise BadSignatureError("The signature does not fit the body. Check the signing secret.")


class ProviderCallError(Exception):
    """A call to a provider failed; `sentence` holds no secret and may be shown to staff.

    `is_permanent`: the same call can't go well later. `is_unknown`: the provider may have carried it out although no
    answer came, so that it must be asked before anything is made a second time.
    """

    def __init__(
        self,
        sentence: str,
        *,
        is_permanent: bool = False,
        is_unknown: bool = False,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_permanent = is_permanent
        self.is_unknown = is_unknown
        self.retry_after_seconds = retry_after_seconds


def call_provider(label: str, call: Call) -> Answer:
    """The answer, if it is a success or a 4xx that the caller wants to read; raises `ProviderCallError` otherwise."""
    try:
        answer = outgoing_call(call)
    except OutgoingError as error:
        raise ProviderCallError(
            f"{label}: {error.sentence}", is_permanent=error.is_permanent, is_unknown=not error.is_permanent
        ) from None
    if answer.is_worth_repeating:
        wait = answer.retry_after
        raise ProviderCallError(
            f"{label} answered {answer.status}.",
            is_unknown=True,
            retry_after_seconds=int(wait.total_seconds()) if wait is not None else None,
        )
    if answer.status in {401, 403}:
        # Not for good: it goes well once the operator has corrected the key.
        raise ProviderCallError(f"{label} refuses our key ({answer.status}). Correct it in the settings.")
    return answer


_readers: dict[Provider, ProviderReader | None] = {}


def payment_provider(name: Provider) -> PaymentProvider:
    """The provider of that name."""
    provider: PaymentProvider = import_module(f"{__package__}.{name.value}").PROVIDER
    return provider


def provider_reader(name: Provider) -> ProviderReader | None:
    """The provider's API to read from; None while no key is configured."""
    return _readers[name] if name in _readers else payment_provider(name).connect()


def fetch_snapshot(name: Provider, kind: ObjectKind, external_id: str) -> ObjectSnapshot | None:
    """The object as the provider has it now; None when it knows none, or can't be asked."""
    reader = provider_reader(name)
    answer = reader.fetch_object(kind, external_id) if reader else None
    return payment_provider(name).parse_object(kind, answer) if answer is not None else None


@contextmanager
def read_from(name: Provider, reader: ProviderReader | None) -> Iterator[None]:
    """While the block runs, read from this one instead; None: as if no key were configured. For tests."""
    before = dict(_readers)
    _readers[name] = reader
    try:
        yield
    finally:
        _readers.clear()
        _readers.update(before)
