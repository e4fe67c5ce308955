"""Monthly recurring revenue: what a subscription comes to a month, and how it moved (spec 07, Revenue). Pure.

Computed exactly, and rounded once a subscription and currency, half up, by the one rounding of the product.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from apps.core.amounts import divide_half_away
from apps.core.enums import TextEnum
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.pricing import Discount, PricedLine, Pricing

# Trialing, paused and what has not begun or has ended do not count.
COUNTED = frozenset({ProviderSubscriptionStatus.ACTIVE, ProviderSubscriptionStatus.PAST_DUE})

# How many times an interval fits into a month.
_A_MONTH: Mapping[str, Fraction] = MappingProxyType(
    {"year": Fraction(1, 12), "month": Fraction(1), "week": Fraction(52, 12), "day": Fraction(365, 12)}
)


class Gap(TextEnum):
    """Why a subscription's figure may not be what the customer pays."""

    NO_PRICES = "no_prices", "No event since the update has told its prices"
    UNTOLD_PRICE = "untold_price", "A price of which the event tells neither amount nor interval"
    NO_UNIT_PRICE = "no_unit_price", "A price in tiers, which events do not hold"
    NOT_WHOLE = "not_whole", "More lines than the event held"
    UNKNOWN_DISCOUNT = "unknown_discount", "A discount is named and not told"


@dataclass(frozen=True, slots=True)
class MonthlyRevenue:
    """Minor units a month by currency, and what is missing."""

    minor: Mapping[str, int]
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class _Share:
    """A line's exact part of the month, and how often a month its invoices come."""

    line: PricedLine
    minor: Fraction
    times: Fraction


def monthly_revenue(pricing: Pricing | None, at: datetime) -> MonthlyRevenue:
    """What a mirrored subscription comes to a month: licensed recurring lines, less the discounts that run."""
    if pricing is None:
        return MonthlyRevenue({}, (Gap.NO_PRICES,))
    counted = [line for line in pricing.lines if _recurs(line) and _runs(line.starts_at, line.ends_at, at)]
    shares = [_share_of(line, line.unit_minor, at) for line in counted if line.unit_minor is not None and line.currency]
    running = [discount for discount in pricing.discounts if _is_running(discount, at)]
    for discount in running:
        shares = _reduce(shares, discount)
    totals: dict[str, Fraction] = defaultdict(Fraction)
    for share in shares:
        totals[share.line.currency] += share.minor
    minor = {currency: divide_half_away(total.numerator, total.denominator) for currency, total in totals.items()}
    found = {
        Gap.UNTOLD_PRICE: any(_is_untold(line) for line in pricing.lines),
        Gap.NO_UNIT_PRICE: len(shares) < len(counted),
        Gap.NOT_WHOLE: not pricing.is_whole,
        Gap.UNKNOWN_DISCOUNT: bool(pricing.unknown_discounts),
    }
    return MonthlyRevenue(
        {currency: amount for currency, amount in sorted(minor.items()) if amount},
        tuple(gap for gap, is_there in found.items() if is_there),
    )


def monthly_price(price_minor: int, interval: str) -> int:
    """What a plan's price comes to a month, in minor units."""
    exact = price_minor * _A_MONTH[interval]
    return divide_half_away(exact.numerator, exact.denominator)


class Movement(TextEnum):
    """How the revenue of an organization in a currency moved from one day to the next."""

    NEW = "new", "New"
    REACTIVATION = "reactivation", "Reactivation"
    EXPANSION = "expansion", "Expansion"
    CONTRACTION = "contraction", "Contraction"
    CHURN = "churn", "Churn"


def movement_of(before: int, now: int, *, has_paid_before: bool) -> Movement | None:
    """The movement; None where nothing moved. `has_paid_before`: on any earlier day, in this currency."""
    if now < before:
        return Movement.CHURN if now == 0 else Movement.CONTRACTION
    if now > before:
        begun = Movement.REACTIVATION if has_paid_before else Movement.NEW
        return begun if before == 0 else Movement.EXPANSION
    return None


def _recurs(line: PricedLine) -> bool:
    return line.interval in _A_MONTH and line.every > 0 and not line.is_metered


def _is_untold(line: PricedLine) -> bool:
    """Whether nothing is known of the line but its name: it may recur, and is counted as nothing."""
    return not line.interval and not line.currency and line.unit_minor is None and not line.is_metered


def _share_of(line: PricedLine, unit_minor: Decimal, at: datetime) -> _Share:
    times = _A_MONTH[line.interval] / line.every
    share = _Share(line, Fraction(unit_minor) * Fraction(line.quantity) * times, times)
    for discount in line.discounts:
        if _is_running(discount, at):
            (share,) = _reduce([share], discount)
    return share


def _reduce(shares: Sequence[_Share], discount: Discount) -> list[_Share]:
    """The shares after the discount; none falls below zero."""
    hit = [share for share in shares if _is_meant(share.line, discount)]
    total = sum((share.minor for share in hit), Fraction(0))
    if discount.percent is not None:
        keep = max(1 - Fraction(discount.percent) / 100, Fraction(0))
    elif discount.amount_minor is not None and total > 0:
        # It goes off each invoice, and these come as often as the shortest interval does.
        off = Fraction(discount.amount_minor) * max(share.times for share in hit)
        keep = max(1 - off / total, Fraction(0))
    else:
        return list(shares)
    return [
        _Share(share.line, share.minor * keep, share.times) if _is_meant(share.line, discount) else share
        for share in shares
    ]


def _is_meant(line: PricedLine, discount: Discount) -> bool:
    if discount.percent is None and discount.currency != line.currency:
        return False
    return not discount.targets or line.product_id in discount.targets or line.price_id in discount.targets


def _is_running(discount: Discount, at: datetime) -> bool:
    return not discount.is_once and _runs(discount.starts_at, discount.ends_at, at)


def _runs(starts_at: datetime | None, ends_at: datetime | None, at: datetime) -> bool:
    return (starts_at is None or starts_at <= at) and (ends_at is None or at < ends_at)
