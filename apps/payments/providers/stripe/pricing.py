"""Reads the prices and discounts of a Stripe subscription, in current and in older shapes (spec 07, Revenue).

A discount comes whole, or as its id alone unless it was asked for; its coupon stands in `source` since 2025-09-30, and
in itself before.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from apps.core.amounts import minor_digits
from apps.core.provider_units import iso_currency, stripe_digits
from apps.payments.pricing import Discount, PricedLine, Pricing
from apps.payments.providers.parsing import (
    ExternalId,
    MaybeFlag,
    MaybeList,
    MaybeNumber,
    MaybeObject,
    MaybeReference,
    MaybeSeconds,
    MaybeText,
    ProviderModel,
    decimal_in,
    maybe,
)

_ONCE, _METERED, _PER_UNIT, _ROUND_UP = "once", "metered", "per_unit", "up"
_MOST_DISCOUNTS, _MOST_TARGETS = 20, 100


class _Recurring(ProviderModel):
    interval: MaybeText = None
    interval_count: MaybeNumber = None
    usage_type: MaybeText = None


class _Packages(ProviderModel):
    divide_by: MaybeNumber = None
    round: MaybeText = None


class _Price(ProviderModel):
    id: ExternalId
    product: MaybeReference = None
    currency: MaybeText = None
    billing_scheme: MaybeText = None
    unit_amount: Any = None
    unit_amount_decimal: Any = None
    recurring: MaybeObject = None
    transform_quantity: MaybeObject = None


class _Item(ProviderModel):
    price: _Price
    quantity: MaybeNumber = None
    discounts: MaybeList = None


class _Items(ProviderModel):
    data: MaybeList = None
    has_more: MaybeFlag = None


class _Coupon(ProviderModel):
    percent_off: Any = None
    amount_off: Any = None
    currency: MaybeText = None
    duration: MaybeText = None
    applies_to: MaybeObject = None


class _Discount(ProviderModel):
    id: MaybeText = None
    coupon: Any = None
    source: MaybeObject = None
    start: MaybeSeconds = None
    end: MaybeSeconds = None


def read_pricing(body: dict[str, Any], *, most_items: int) -> Pricing:
    """What the subscription costs. Nothing in here makes an event unreadable: what can't be read is left out."""
    listed = maybe(_Items, body.get("items"))
    values = (listed.data if listed else None) or []
    items = [item for item in (maybe(_Item, value) for value in values[:most_items]) if item is not None]
    known: list[tuple[PricedLine, list[str]]] = [_line(item) for item in items]
    told = body.get("discounts")
    own = told if isinstance(told, list) and told else [value for value in [body.get("discount")] if value]
    discounts, unknown = _discounts(own)
    return Pricing(
        lines=tuple(line for line, _ in known),
        discounts=discounts,
        unknown_discounts=(*unknown, *(name for _, names in known for name in names)),
        is_whole=listed is not None and not listed.has_more and len(items) == len(values),
    )


def _line(item: _Item) -> tuple[PricedLine, list[str]]:
    price, currency = item.price, iso_currency(item.price.currency)
    recurring = maybe(_Recurring, price.recurring)
    discounts, unknown = _discounts(item.discounts or [])
    is_per_unit = price.billing_scheme in {None, _PER_UNIT}
    unit = decimal_in(price.unit_amount_decimal)
    unit = decimal_in(price.unit_amount) if unit is None else unit
    line = PricedLine(
        price_id=price.id,
        product_id=price.product or "",
        currency=currency,
        unit_minor=_minor(unit, currency) if is_per_unit else None,
        quantity=Decimal(_packages(price, 1 if item.quantity is None else item.quantity)),
        interval=(recurring.interval or "") if recurring else "",
        every=(recurring.interval_count or 1) if recurring else 1,
        is_metered=bool(recurring and recurring.usage_type == _METERED),
        discounts=discounts,
    )
    return line, unknown


def _packages(price: _Price, quantity: int) -> int:
    """How many units are paid: of a price for packages, how many packages."""
    packages = maybe(_Packages, price.transform_quantity)
    if packages is None or not packages.divide_by:
        return quantity
    return -(-quantity // packages.divide_by) if packages.round == _ROUND_UP else quantity // packages.divide_by


def _discounts(values: Iterable[Any]) -> tuple[tuple[Discount, ...], list[str]]:
    """The discounts that are told, and the names of those that are not."""
    found, unknown = [], []
    for value in list(values)[:_MOST_DISCOUNTS]:
        told = maybe(_Discount, value)
        coupon = maybe(_Coupon, (told.source or {}).get("coupon") or told.coupon) if told else None
        if told is not None and coupon is not None:
            found.append(_discount(told, coupon))
        else:
            name = told.id if told else value
            unknown.append(name[:255] if isinstance(name, str) else "")
    return tuple(found), unknown


def _discount(told: _Discount, coupon: _Coupon) -> Discount:
    currency = iso_currency(coupon.currency)
    products = (coupon.applies_to or {}).get("products")
    targets = products if isinstance(products, list) else []
    return Discount(
        percent=decimal_in(coupon.percent_off),
        amount_minor=_minor(decimal_in(coupon.amount_off), currency),
        currency=currency,
        targets=tuple(str(name)[:255] for name in targets[:_MOST_TARGETS]),
        starts_at=told.start,
        ends_at=told.end,
        is_once=coupon.duration == _ONCE,
    )


def _minor(amount: Decimal | None, currency: str) -> Decimal | None:
    """ISO minor units of Stripe's amount, exactly: a unit may cost a part of one."""
    if amount is None or not currency:
        return None
    return amount.scaleb(minor_digits(currency) - stripe_digits(currency))
