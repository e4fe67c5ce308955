"""A Stripe account of the tenant's, read with a restricted API key (spec 06, the table of providers).

The month is the calendar month in UTC, by the time at which Stripe made the object. Three lists are read one after the
other, newest first as Stripe has them; the cursor names the list and the last object read. The call is Stripe's plain
REST form in the pinned version: the key goes into a header, and nothing of it into any process-wide setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from pydantic import BaseModel, ConfigDict

from apps.connectors.contracts import CheckResult, Month, Provider, ProviderError, ProviderRecord, RecordPage
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.providers.http import fetch_json, parse, to_json_values
from apps.core.moments import MomentError, read_seconds
from apps.core.outgoing import Call
from apps.core.provider_units import iso_currency, minor_from_stripe

API_BASE = "https://api.stripe.com"
API_VERSION = "2026-10-28.endive"
_LIMIT = "100"
_MOST_LINE_PAGES = 200


class _Listed(BaseModel):
    """What every object of Stripe has that we read; the rest of it is kept as it came."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    id: str
    created: int = 0
    currency: str = ""
    status: str | None = None
    description: str | None = None
    number: str | None = None


class _List(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    data: list[dict[str, Any]]
    has_more: bool


class _Invoice(_Listed):
    total: int
    lines: _List


class _Line(_Listed):
    amount: int
    quantity: int | None = None


class _CreditNote(_Listed):
    total: int
    amount: int = 0


class _Refund(_Listed):
    amount: int
    reason: str | None = None


class StripeProvider(Provider):
    """Invoices with their lines, credit notes and refunds of the month."""

    name: ClassVar[str] = "stripe"
    label: ClassVar[str] = "Stripe"
    brings: ClassVar[str] = "invoices, invoice lines, credit notes and refunds of the month"
    needs: ClassVar[str] = (
        "In Stripe's dashboard under Developers, API keys, make a restricted key that may read invoices, credit notes, "
        "charges and refunds, and nothing else. It begins with rk_."
    )
    credential_kind: ClassVar[CredentialKind] = CredentialKind.API_KEY

    def check(self) -> CheckResult:
        parse(self.label, _List, self._fetch("/v1/invoices", {"limit": "1"}))
        return CheckResult("the Stripe account of this key")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        kinds = list(_LISTS)
        kind, _, after = (cursor or f"{kinds[0]}:").partition(":")
        if kind not in _LISTS:
            raise ProviderError(f"Stripe: there is no list {kind!r}.", is_permanent=True)
        params = {"limit": _LIMIT, "created[gte]": _second(month), "created[lt]": _second(month.shifted(1))}
        listed = parse(
            self.label, _List, self._fetch(f"/v1/{kind}", {**params, "starting_after": after} if after else params)
        )
        records = tuple(record for value in listed.data for record in _LISTS[kind](self, value))
        if listed.has_more and listed.data:
            return RecordPage(records, f"{kind}:{parse(self.label, _Listed, listed.data[-1]).id}")
        later = kinds[kinds.index(kind) + 1 :]
        return RecordPage(records, f"{later[0]}:" if later else None)

    def _fetch(self, path: str, params: dict[str, str]) -> Any:
        base = getattr(settings, "STRIPE_API_BASE", "") or API_BASE
        call = Call(
            f"{base.rstrip('/')}{path}",
            params=params,
            headers={"Stripe-Version": API_VERSION},
            secret_headers={"Authorization": f"Bearer {self._key()}"},
            is_guarded=False,  # the address is the operator's
        )
        return fetch_json(self.label, call)

    def _invoice(self, value: dict[str, Any]) -> Iterator[ProviderRecord]:
        invoice = parse(self.label, _Invoice, value)
        rest = {name: inner for name, inner in value.items() if name != "lines"}
        yield _record(invoice, RecordKind.INVOICE, invoice.total, f"Invoice {invoice.number or invoice.id}", rest)
        for line_value in self._lines(invoice):
            line = parse(self.label, _Line, line_value)
            yield _record(
                line,
                RecordKind.LINE,
                line.amount,
                line.description or f"Line of {invoice.number or invoice.id}",
                line_value,
                invoice,
            )

    def _lines(self, invoice: _Invoice) -> Iterator[dict[str, Any]]:
        """The lines that came with the invoice, and those that did not fit."""
        listed = invoice.lines
        for _ in range(_MOST_LINE_PAGES):
            yield from listed.data
            if not listed.has_more or not listed.data:
                return
            after = parse(self.label, _Listed, listed.data[-1]).id
            params = {"limit": _LIMIT, "starting_after": after}
            listed = parse(self.label, _List, self._fetch(f"/v1/invoices/{invoice.id}/lines", params))
        raise ProviderError(f"Stripe: invoice {invoice.id} has too many lines.", is_permanent=True)

    def _credit_note(self, value: dict[str, Any]) -> Iterator[ProviderRecord]:
        note = parse(self.label, _CreditNote, value)
        rest = {name: inner for name, inner in value.items() if name != "lines"}
        yield _record(note, RecordKind.CREDIT_NOTE, -note.total, f"Credit note {note.number or note.id}", rest)

    def _refund(self, value: dict[str, Any]) -> Iterator[ProviderRecord]:
        refund = parse(self.label, _Refund, value)
        words = f"Refund ({refund.reason})" if refund.reason else "Refund"
        yield _record(refund, RecordKind.REFUND, -refund.amount, words, value)


_LISTS: dict[str, Callable[[StripeProvider, dict[str, Any]], Iterator[ProviderRecord]]] = {
    "invoices": StripeProvider._invoice,  # noqa: SLF001 - the table of the class above
    "credit_notes": StripeProvider._credit_note,  # noqa: SLF001
    "refunds": StripeProvider._refund,  # noqa: SLF001
}


def _record(
    thing: _Listed,
    kind: RecordKind,
    amount: int,
    description: str,
    raw: dict[str, Any],
    invoice: _Invoice | None = None,
) -> ProviderRecord:
    """What of a Stripe object becomes a record. A line has its invoice's time and status."""
    quantity = thing.quantity if isinstance(thing, _Line) else None
    currency = iso_currency(thing.currency)
    try:
        occurred_at = read_seconds((invoice or thing).created)
    except MomentError as error:
        raise ProviderError(f"Stripe: {thing.id}: created {error}", is_permanent=True) from None
    # One invoice item can stand as a line in two invoices.
    return ProviderRecord(
        external_id=f"{invoice.id}/{thing.id}" if invoice else thing.id,
        kind=kind,
        description=description,
        occurred_at=occurred_at,
        quantity=Decimal(quantity) if quantity is not None else None,
        amount_minor=minor_from_stripe(amount, currency) if currency else None,
        currency=currency,
        status=(invoice or thing).status or "",
        raw=to_json_values(raw),
    )


def _second(month: Month) -> str:
    return str(int(month.starts_at().timestamp()))
