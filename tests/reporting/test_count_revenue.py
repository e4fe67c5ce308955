"""Monthly revenue of every kind of subscription, and how it moves from day to day (spec 07, Revenue)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.payments.pricing import Discount, PricedLine, Pricing, pricing_of, pricing_values
from apps.payments.providers.orb.pricing import read_pricing as read_orb
from apps.payments.providers.stripe.pricing import read_pricing
from apps.reporting.rules.revenue import (
    Gap,
    MonthlyRevenue,
    Movement,
    monthly_price,
    monthly_revenue,
    movement_of,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(days=1), NOW - timedelta(days=1)


def line(unit: str | None = "1900", **values: Any) -> PricedLine:
    unit_minor = None if unit is None else Decimal(unit)
    return PricedLine(**{"price_id": "p1", "currency": "EUR", "unit_minor": unit_minor, "interval": "month", **values})


def off(percent: int | None = None, amount: int | None = None, **values: Any) -> Discount:
    return Discount(
        percent=None if percent is None else Decimal(percent),
        amount_minor=None if amount is None else Decimal(amount),
        **{"currency": "EUR", **values},
    )


YEARLY = line("12000", interval="year")
CASES: list[tuple[str, Pricing, dict[str, int]]] = [
    ("a month", Pricing((line(),)), {"EUR": 1900}),
    ("seats", Pricing((line(quantity=Decimal(7)),)), {"EUR": 13300}),
    ("a year", Pricing((YEARLY,)), {"EUR": 1000}),
    ("a year, half up", Pricing((line("1002", interval="year"),)), {"EUR": 84}),
    ("a year, rounded once for both lines", Pricing((line("1002", interval="year"),) * 2), {"EUR": 167}),
    ("a week", Pricing((line("300", interval="week"),)), {"EUR": 1300}),
    ("a day", Pricing((line("12", interval="day"),)), {"EUR": 365}),
    ("each three months", Pricing((line("3000", every=3),)), {"EUR": 1000}),
    ("each two years", Pricing((line("24000", interval="year", every=2),)), {"EUR": 1000}),
    ("a part of a cent", Pricing((line("0.5", quantity=Decimal(3)),)), {"EUR": 2}),
    ("metered", Pricing((line(), line("10", is_metered=True))), {"EUR": 1900}),
    ("once, nothing that recurs", Pricing((line(interval=""),)), {}),
    ("nothing", Pricing(), {}),
    ("for nothing", Pricing((line("0"),)), {}),
    ("two currencies", Pricing((line(), line("500", currency="USD"))), {"EUR": 1900, "USD": 500}),
    ("a fifth off", Pricing((line(),), (off(20),)), {"EUR": 1520}),
    ("an amount off", Pricing((line(),), (off(amount=500),)), {"EUR": 1400}),
    ("an amount off each year", Pricing((YEARLY,), (off(amount=1200),)), {"EUR": 900}),
    ("an amount off, of a month and a year", Pricing((line(), YEARLY), (off(amount=900),)), {"EUR": 2000}),
    ("more off than it costs", Pricing((line(),), (off(amount=5000),)), {}),
    ("an amount of another currency", Pricing((line(),), (off(amount=500, currency="USD"),)), {"EUR": 1900}),
    ("first a half, then 100 off", Pricing((line(),), (off(50), off(amount=100))), {"EUR": 850}),
    ("first 100 off, then a half", Pricing((line(),), (off(amount=100), off(50))), {"EUR": 900}),
    ("off one invoice alone", Pricing((line(),), (off(50, is_once=True),)), {"EUR": 1900}),
    ("not yet off", Pricing((line(),), (off(50, starts_at=LATER),)), {"EUR": 1900}),
    ("no longer off", Pricing((line(),), (off(50, ends_at=NOW),)), {"EUR": 1900}),
    ("off until tomorrow", Pricing((line(),), (off(50, starts_at=BEFORE, ends_at=LATER),)), {"EUR": 950}),
    ("off one line", Pricing((line(discounts=(off(50),)), line("100"))), {"EUR": 1050}),
    ("off one product", Pricing((line(product_id="a"), line("100")), (off(50, targets=("a",)),)), {"EUR": 1050}),
    ("a line that has ended", Pricing((line(), line("100", ends_at=BEFORE))), {"EUR": 1900}),
    ("a line to come", Pricing((line(), line("100", starts_at=LATER))), {"EUR": 1900}),
    ("off from this moment on", Pricing((line(),), (off(50, starts_at=NOW),)), {"EUR": 950}),
    ("off one price", Pricing((line(price_id="a"), line("100")), (off(50, targets=("a",)),)), {"EUR": 1050}),
    ("off what nobody bought", Pricing((line(),), (off(50, targets=("a",)),)), {"EUR": 1900}),
    ("a discount that tells nothing", Pricing((line(),), (off(),)), {"EUR": 1900}),
    ("an amount off the least price", Pricing((line("1"),), (off(amount=1),)), {}),
    ("an amount off a part of a cent", Pricing((line("0.9"), line("0")), (off(amount=1),)), {}),
    ("an amount off nothing", Pricing((line("0"),), (off(amount=500),)), {}),
    ("no interval counts as none", Pricing((line(), line("100", every=0), line("100", every=-1))), {"EUR": 1900}),
    ("no minor unit", Pricing((line("980", currency="JPY"),)), {"JPY": 980}),
]


@pytest.mark.parametrize(("pricing", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_a_subscription_comes_to_a_month(pricing: Pricing, expected: dict[str, int]) -> None:
    assert monthly_revenue(pricing, NOW).minor == expected
    assert monthly_revenue(pricing_of(pricing_values(pricing)), NOW).minor == expected


def test_what_is_not_known_is_said() -> None:
    assert monthly_revenue(None, NOW).gaps == (Gap.NO_PRICES,)
    assert monthly_revenue(Pricing((line(), line(None))), NOW).gaps == (Gap.NO_UNIT_PRICE,)
    assert monthly_revenue(Pricing((line(None, is_metered=True),)), NOW).gaps == ()
    assert monthly_revenue(Pricing((line(), PricedLine("price_1"))), NOW).gaps == (Gap.UNTOLD_PRICE,)
    assert monthly_revenue(Pricing((line(currency=""),)), NOW) == MonthlyRevenue({}, (Gap.NO_UNIT_PRICE,))
    # Whatever is told of a line beside its name, it is not untold.
    for told in ({"interval": "month"}, {"unit_minor": Decimal(5)}, {"currency": "EUR"}, {"is_metered": True}):
        assert Gap.UNTOLD_PRICE not in monthly_revenue(Pricing((PricedLine("price_1", **told),)), NOW).gaps
    # A setup fee is told, and recurs not.
    assert monthly_revenue(Pricing((line(), PricedLine("price_1", currency="EUR"))), NOW).gaps == ()
    found = monthly_revenue(Pricing((line(),), unknown_discounts=("di_1",), is_whole=False), NOW)
    assert (found.minor, found.gaps) == ({"EUR": 1900}, (Gap.NOT_WHOLE, Gap.UNKNOWN_DISCOUNT))


def test_a_plan_comes_to_a_month() -> None:
    assert [monthly_price(1002, "year"), monthly_price(1002, "month"), monthly_price(0, "year")] == [84, 1002, 0]


STRIPE_ITEM = {
    "price": {
        "id": "price_1",
        "product": {"id": "prod_1"},
        "currency": "usd",
        "billing_scheme": "per_unit",
        "unit_amount": 2000,
        "unit_amount_decimal": "2000",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
    },
    "quantity": 3,
    "discounts": [],
}


def stripe(item: dict[str, Any] | None = None, price: dict[str, Any] | None = None, **values: Any) -> Pricing:
    whole = {**STRIPE_ITEM, **(item or {}), "price": {**STRIPE_ITEM["price"], **(price or {})}}  # type: ignore[dict-item]
    return read_pricing({"items": {"data": [whole]}, **values}, most_items=100)


COUPON = {"id": "HALF", "percent_off": 50.0, "amount_off": None, "currency": None, "duration": "forever"}
READ: list[tuple[str, Pricing, dict[str, int], tuple[Gap, ...]]] = [
    ("as it is", stripe(), {"USD": 6000}, ()),
    ("a decimal of the SDK", stripe(price={"unit_amount_decimal": Decimal("12.5")}), {"USD": 38}, ()),
    ("a whole amount alone", stripe(price={"unit_amount_decimal": None}), {"USD": 6000}, ()),
    ("tiers", stripe(price={"billing_scheme": "tiered", "unit_amount": None}), {}, (Gap.NO_UNIT_PRICE,)),
    ("metered", stripe(price={"recurring": {"interval": "month", "usage_type": "metered"}}), {}, ()),
    ("króna, told in hundredths", stripe(price={"currency": "isk"}), {"ISK": 60}, ()),
    ("packages of two", stripe(price={"transform_quantity": {"divide_by": 2, "round": "up"}}), {"USD": 4000}, ()),
    ("coupon in the discount", stripe(discounts=[{"id": "di_1", "coupon": COUPON}]), {"USD": 3000}, ()),
    ("coupon in its source", stripe(discounts=[{"id": "di_1", "source": {"coupon": COUPON}}]), {"USD": 3000}, ()),
    ("coupon by its id", stripe(discounts=[{"id": "di_1", "source": {"coupon": "HALF"}}]), {"USD": 6000},
        (Gap.UNKNOWN_DISCOUNT,)),
    ("one discount, of old", stripe(discount={"id": "di_1", "coupon": COUPON}), {"USD": 3000}, ()),
    ("discount by its id", stripe(discounts=["di_1"]), {"USD": 6000}, (Gap.UNKNOWN_DISCOUNT,)),
    ("of an item", stripe({"discounts": [{"id": "di_1", "coupon": COUPON}]}), {"USD": 3000}, ()),
    ("of an item, by its id", stripe({"discounts": ["di_1"]}), {"USD": 6000}, (Gap.UNKNOWN_DISCOUNT,)),
    ("nonsense", read_pricing({"items": 7, "discounts": "no"}, most_items=100), {}, (Gap.NOT_WHOLE,)),
    ("more items than told", read_pricing({"items": {"data": [STRIPE_ITEM], "has_more": True}}, most_items=100),
        {"USD": 6000}, (Gap.NOT_WHOLE,)),
]  # fmt: skip


@pytest.mark.parametrize(("pricing", "expected", "gaps"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_what_stripe_tells(pricing: Pricing, expected: dict[str, int], gaps: tuple[Gap, ...]) -> None:
    found = monthly_revenue(pricing_of(pricing_values(pricing)), NOW)
    assert (found.minor, found.gaps) == (expected, gaps)


def test_what_orb_tells() -> None:
    fixed = {"id": "p1", "price_type": "fixed_price", "model_type": "unit", "unit_config": {"unit_amount": "8.50"},
        "fixed_price_quantity": 4, "currency": "USD", "cadence": "quarterly"}  # fmt: skip
    usage = {**fixed, "price_type": "usage_price"}
    intervals = [{"price": fixed, "start_date": "2026-01-01T00:00:00Z"}, {"price": usage}]
    percent = [{"discount_type": "percentage", "percentage_discount": Decimal("0.15")}]
    body = {"price_intervals": intervals, "discount_intervals": percent}
    assert monthly_revenue(read_orb(body), NOW).minor == {"USD": 963}
    tiers = {**fixed, "model_type": "tiered"}
    assert monthly_revenue(read_orb({"price_intervals": [{"price": tiers}]}), NOW).gaps == (Gap.NO_UNIT_PRICE,)
    assert read_orb({"id": "sub_1"}) is None


@pytest.mark.parametrize(
    ("before", "now", "has_paid", "expected"),
    [
        (0, 0, False, None), (5, 5, True, None), (0, 5, False, Movement.NEW), (0, 5, True, Movement.REACTIVATION),
        (5, 0, True, Movement.CHURN), (5, 6, True, Movement.EXPANSION), (5, 4, True, Movement.CONTRACTION),
    ],
)  # fmt: skip
def test_every_movement(before: int, now: int, has_paid: bool, expected: Movement | None) -> None:
    assert movement_of(before, now, has_paid_before=has_paid) is expected
