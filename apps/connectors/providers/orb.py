"""An Orb account of the tenant's, read with an API key (spec 06, the table of providers).

The month is the calendar month in UTC, by an invoice's date and by the time frames of usage. Invoices come first, page
by page; then the subscriptions, page by page, each with its usage a day and billable metric.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from django.conf import settings
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict

from apps.connectors.contracts import CheckResult, Month, Provider, ProviderError, ProviderRecord, RecordPage
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.providers.http import fetch_json, parse, to_json_values
from apps.core.moments import read_iso_moment
from apps.core.outgoing import Call
from apps.core.provider_units import minor_from_decimal

API_BASE = "https://api.withorb.com"
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_ISO_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_INVOICES_A_PAGE, _SUBSCRIPTIONS_A_PAGE = "100", "20"


def _moment(value: Any) -> Any:
    return read_iso_moment(value) if isinstance(value, str) else value


def _decimal(value: Any) -> Any:
    """Orb writes amounts as decimal strings and quantities as numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


_Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
_Number = Annotated[Decimal, BeforeValidator(_decimal)]


class _Orb(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class _Pagination(_Orb):
    has_more: bool
    next_cursor: str | None = None


class _List(_Orb):
    data: list[dict[str, Any]]
    pagination_metadata: _Pagination


class _Invoice(_Orb):
    id: str
    invoice_date: _Moment
    invoice_number: str = ""
    currency: str
    total: _Number
    status: str = ""


class _Subscription(_Orb):
    id: str


class _Metric(_Orb):
    id: str
    name: str = ""


class _Frame(_Orb):
    quantity: _Number
    timeframe_start: _Moment
    timeframe_end: _Moment


class _MetricUsage(_Orb):
    billable_metric: _Metric
    usage: list[_Frame]


class _Usage(_Orb):
    data: list[_MetricUsage]


class OrbProvider(Provider):
    """Invoices, and usage a subscription, of the month."""

    name: ClassVar[str] = "orb"
    label: ClassVar[str] = "Orb"
    brings: ClassVar[str] = "invoices and usage per subscription of the month"
    needs: ClassVar[str] = "In Orb under Developers, API keys, make a key for this connector alone."
    credential_kind: ClassVar[CredentialKind] = CredentialKind.API_KEY

    def check(self) -> CheckResult:
        self._fetch("/v1/ping", {})
        return CheckResult("the Orb account of this key")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        kind, _, after = (cursor or "invoices:").partition(":")
        steps: dict[str, Callable[[Month, str], tuple[_List, Iterator[ProviderRecord]]]] = {
            "invoices": self._invoices,
            "usage": self._usages,
        }
        if kind not in steps:
            raise ProviderError(f"Orb: there is no list {kind!r}.", is_permanent=True)
        listed, records = steps[kind](month, after)
        following = listed.pagination_metadata.next_cursor if listed.pagination_metadata.has_more else None
        if following:
            return RecordPage(tuple(records), f"{kind}:{following}")
        return RecordPage(tuple(records), "usage:" if kind == "invoices" else None)

    def _invoices(self, month: Month, after: str) -> tuple[_List, Iterator[ProviderRecord]]:
        params = {
            "limit": _INVOICES_A_PAGE,
            "invoice_date[gte]": month.starts_at().isoformat(),
            "invoice_date[lt]": month.ends_at().isoformat(),
        }
        listed = self._list("/v1/invoices", params, after)
        return listed, (self._invoice(value) for value in listed.data)

    def _invoice(self, value: dict[str, Any]) -> ProviderRecord:
        invoice = parse(self.label, _Invoice, value)
        # Orb also bills in currencies that a vendor makes up, such as credits: those are no amount of money.
        is_money = bool(_ISO_CURRENCY.fullmatch(invoice.currency))
        return ProviderRecord(
            external_id=invoice.id,
            kind=RecordKind.INVOICE,
            description=f"Invoice {invoice.invoice_number or invoice.id}",
            occurred_at=invoice.invoice_date,
            quantity=None if is_money else invoice.total,
            unit="" if is_money else invoice.currency,
            amount_minor=minor_from_decimal(invoice.total, invoice.currency) if is_money else None,
            currency=invoice.currency.upper() if is_money else "",
            status=invoice.status,
            raw=to_json_values({name: inner for name, inner in value.items() if name != "line_items"}),
        )

    def _usages(self, month: Month, after: str) -> tuple[_List, Iterator[ProviderRecord]]:
        listed = self._list("/v1/subscriptions", {"limit": _SUBSCRIPTIONS_A_PAGE}, after)
        return listed, (record for value in listed.data for record in self._usage(month, value))

    def _usage(self, month: Month, value: dict[str, Any]) -> Iterator[ProviderRecord]:
        subscription = parse(self.label, _Subscription, value)
        frame = {"timeframe_start": month.starts_at().isoformat(), "timeframe_end": month.ends_at().isoformat()}
        path = f"/v1/subscriptions/{subscription.id}/usage"
        usage = parse(self.label, _Usage, self._fetch(path, {**frame, "granularity": "day"}))
        for metric in usage.data:
            for day in metric.usage:
                yield _usage_record(subscription, metric.billable_metric, day)

    def _list(self, path: str, params: dict[str, str], after: str) -> _List:
        return parse(self.label, _List, self._fetch(path, {**params, "cursor": after} if after else params))

    def _fetch(self, path: str, params: dict[str, str]) -> Any:
        base = getattr(settings, "ORB_API_BASE", "") or API_BASE
        call = Call(
            f"{base.rstrip('/')}{path}",
            params=params,
            secret_headers={"Authorization": f"Bearer {self._key()}"},
            is_guarded=False,  # the address is the operator's
        )
        return fetch_json(self.label, call)


def _usage_record(subscription: _Subscription, metric: _Metric, day: _Frame) -> ProviderRecord:
    return ProviderRecord(
        external_id=f"{subscription.id}/{metric.id}/{day.timeframe_start:%Y-%m-%d}",
        kind=RecordKind.USAGE,
        description=metric.name or metric.id,
        occurred_at=day.timeframe_start,
        quantity=day.quantity,
        unit="unit",
        raw={"subscription": subscription.id, "metric": metric.id, "until": day.timeframe_end.isoformat()},
    )
