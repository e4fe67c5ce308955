"""Reads the prices and discounts of an Orb subscription, where the event holds them (spec 07, Revenue).

What recurs whatever is used are prices of type `fixed_price`; a `usage_price` is metered. Amounts are in whole units.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from apps.core.amounts import minor_digits
from apps.core.provider_units import iso_currency
from apps.payments.pricing import Discount, PricedLine, Pricing
from apps.payments.providers.parsing import (
    ExternalId,
    MaybeIsoTime,
    MaybeList,
    MaybeObject,
    MaybeText,
    ProviderModel,
    decimal_in,
    maybe,
)

_MOST = 100
# How many of which interval a cadence is; one that is custom says so itself.
_CADENCES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {"monthly": ("month", 1), "quarterly": ("month", 3), "semi_annual": ("month", 6), "annual": ("year", 1)}
)


class _Price(ProviderModel):
    id: ExternalId
    price_type: MaybeText = None
    model_type: MaybeText = None
    currency: MaybeText = None
    cadence: MaybeText = None
    fixed_price_quantity: Any = None
    unit_config: MaybeObject = None


class _PriceInterval(ProviderModel):
    price: _Price
    start_date: MaybeIsoTime = None
    end_date: MaybeIsoTime = None


class _DiscountInterval(ProviderModel):
    discount_type: MaybeText = None
    percentage_discount: Any = None
    amount_discount: Any = None
    applies_to_price_ids: MaybeList = None
    start_date: MaybeIsoTime = None
    end_date: MaybeIsoTime = None


class _Prices(ProviderModel):
    price_intervals: MaybeList = None
    discount_intervals: MaybeList = None


def read_pricing(body: dict[str, Any]) -> Pricing | None:
    """What the subscription costs; None where the event does not hold its prices (the short style)."""
    told = maybe(_Prices, body)
    if told is None or told.price_intervals is None:
        return None
    read = [maybe(_PriceInterval, value) for value in told.price_intervals[:_MOST]]
    lines = tuple(_line(interval) for interval in read if interval is not None)
    currency = next((line.currency for line in lines if line.currency), "")
    discounts = [maybe(_DiscountInterval, value) for value in (told.discount_intervals or [])[:_MOST]]
    return Pricing(
        lines=lines,
        discounts=tuple(_discount(discount, currency) for discount in discounts if discount is not None),
        is_whole=len(lines) == len(told.price_intervals),
    )


def _line(interval: _PriceInterval) -> PricedLine:
    price, currency = interval.price, iso_currency(interval.price.currency)
    unit = decimal_in((price.unit_config or {}).get("unit_amount")) if price.model_type == "unit" else None
    quantity = decimal_in(price.fixed_price_quantity)
    name, every = _CADENCES.get(price.cadence or "", ("", 1))
    return PricedLine(
        price_id=price.id,
        currency=currency,
        unit_minor=_minor(unit, currency),
        quantity=Decimal(1) if quantity is None else quantity,
        interval=name,
        every=every,
        is_metered=price.price_type != "fixed_price",
        starts_at=interval.start_date,
        ends_at=interval.end_date,
    )


def _discount(discount: _DiscountInterval, currency: str) -> Discount:
    share = decimal_in(discount.percentage_discount)
    return Discount(
        percent=None if share is None else share * 100,
        amount_minor=_minor(decimal_in(discount.amount_discount), currency),
        currency=currency,
        targets=tuple(str(name)[:255] for name in discount.applies_to_price_ids or []),
        starts_at=discount.start_date,
        ends_at=discount.end_date,
    )


def _minor(amount: Decimal | None, currency: str) -> Decimal | None:
    return None if amount is None or not currency else amount.scaleb(minor_digits(currency))
