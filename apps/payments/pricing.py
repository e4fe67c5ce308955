"""What a mirrored subscription costs, as its row keeps it: prices, quantities and discounts, in one form (spec 07).

Amounts are decimal minor units of ISO 4217: a unit may cost a part of a cent. Nothing is computed here.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec


class Discount(msgspec.Struct, frozen=True, omit_defaults=True):
    """What goes off: `percent` of a hundred, or `amount_minor` of its currency each time that an invoice is made.

    Without `targets` (products or prices) it is of the whole subscription. `is_once`: of one invoice alone.
    """

    percent: Decimal | None = None
    amount_minor: Decimal | None = None
    currency: str = ""
    targets: tuple[str, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_once: bool = False


class PricedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line that is subscribed to. `unit_minor` None: its price is told in no way that we can read (tiers).

    `interval` is a year, month, week or day, and `every` how many of them; empty where nothing recurs.
    """

    price_id: str
    product_id: str = ""
    currency: str = ""
    unit_minor: Decimal | None = None
    quantity: Decimal = Decimal(1)
    interval: str = ""
    every: int = 1
    is_metered: bool = False
    discounts: tuple[Discount, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class Pricing(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of it. `unknown_discounts` are named and not told; `is_whole` is False where lines were left out."""

    lines: tuple[PricedLine, ...] = ()
    discounts: tuple[Discount, ...] = ()
    unknown_discounts: tuple[str, ...] = ()
    is_whole: bool = True


def pricing_values(pricing: Pricing | None) -> Any:
    """The pricing as a JSON column holds it; None where it is not told."""
    return None if pricing is None else msgspec.to_builtins(pricing)


def pricing_of(values: Any) -> Pricing | None:
    """The pricing that a JSON column holds; None where there is none."""
    return None if values is None else msgspec.convert(values, Pricing)
