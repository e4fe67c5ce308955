"""Amounts of providers in our minor units: each provider's own table at its own boundary (spec 04)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.core.amounts import ISO_CURRENCIES, format_minor, format_minor_number, minor_digits
from apps.core.provider_units import iso_currency, minor_from_decimal, minor_from_stripe, stripe_digits

# Stripe's integer and what it means, by docs.stripe.com/currencies.
STRIPE = [
    ("EUR", 1250, "12.50 EUR"),
    ("JPY", 500, "500 JPY"),
    ("ISK", 500, "5 ISK"),
    ("ISK", -123_400, "-1234 ISK"),
    ("UGX", 500_000, "5000 UGX"),
    ("MGA", 500, "500.00 MGA"),
    ("MGA", -7, "-7.00 MGA"),
    ("KWD", 5120, "5.120 KWD"),
    ("TND", 10, "0.010 TND"),
    ("VND", 90_000, "90000 VND"),
    ("HUF", 1000, "10.00 HUF"),
    ("TWD", 1000, "10.00 TWD"),
    # Stripe keeps no thousandths of these two, ISO does.
    ("IQD", 100, "1.000 IQD"),
    ("LYD", 100, "1.000 LYD"),
    # Krónur that Stripe no longer takes: half of one is rounded away from zero.
    ("ISK", 50, "1 ISK"),
    ("ISK", 49, "0 ISK"),
]
ORB = [("USD", "12.505", 1251), ("USD", "-0.005", -1), ("JPY", "500", 500), ("ISK", "5", 5), ("KWD", "5.1245", 5125)]


@pytest.mark.parametrize(("currency", "amount", "meant"), STRIPE)
def test_stripes_integer_means_this_much(currency: str, amount: int, meant: str) -> None:
    assert format_minor(minor_from_stripe(amount, currency), currency) == meant


@pytest.mark.parametrize(("currency", "amount", "minor"), ORB)
def test_orbs_decimals_are_whole_units(currency: str, amount: str, minor: int) -> None:
    assert minor_from_decimal(Decimal(amount), currency) == minor


def test_where_both_say_the_same_nothing_changes() -> None:
    differing = {code for code in ISO_CURRENCIES if stripe_digits(code) != minor_digits(code)}
    assert [minor_digits(code) for code in ("CLF", "UYW", "BHD", "JPY", "EUR")] == [4, 4, 3, 0, 2]
    assert format_minor_number(123_456, "EUR") == "1234.56"
    assert differing == {"ISK", "UGX", "MGA", "IQD", "LYD", "CLF", "UYI", "UYW"}
    assert all(minor_from_stripe(-1234, code) == -1234 for code in ISO_CURRENCIES - differing)


@pytest.mark.parametrize("text", [None, "", "usdc", "credits", "zzz", "xau", "eu", "€", "EUR "])
def test_what_is_no_currency_of_iso_4217_is_none(text: str | None) -> None:
    assert iso_currency(text) == ""


def test_a_currency_is_read_in_any_case() -> None:
    assert iso_currency("eUr") == "EUR"
