"""P10: amounts, the one rounding and splits, held to exact fractions (spec 11)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.core import amounts
from tests.sizes import size

SEED = 20260403
CASES = size(small=20_000, full=1_000_000)
WHOLE = some.integers(-(10**20), 10**20)
POSITIVE = some.integers(1, 10**15)
MICRO = some.integers(-amounts.LARGEST_AMOUNT, amounts.LARGEST_AMOUNT)


def half_away(exact: Fraction) -> int:
    """The rule in other words: the nearest integer to the distance from zero, an exact half counted up."""
    distance = int(abs(exact) + Fraction(1, 2))
    return -distance if exact < 0 else distance


def wrong_roundings(divide: Callable[[int, int], int], cases: int) -> int:
    """How many of the random fractions, every other one an exact half, come out wrong."""
    random_source = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    wrong = 0
    for case in range(cases):
        denominator = 2 * random_source.randint(1, 10**9)
        numerator = random_source.randint(-(10**18), 10**18)
        if case % 2:
            numerator = numerator * denominator + denominator // 2
        wrong += divide(numerator, denominator) != half_away(Fraction(numerator, denominator))
    return wrong


@pytest.mark.prove("P10 roundings are exact", size=CASES, control="the usual mistakes are found")
def test_a_million_roundings_are_exact() -> None:
    assert wrong_roundings(amounts.divide_half_away, CASES) == 0


@pytest.mark.parametrize(
    "naive",
    [
        lambda numerator, denominator: round(Fraction(numerator, denominator)),
        lambda numerator, denominator: numerator // denominator,
        lambda numerator, denominator: int(numerator / denominator + 0.5),
    ],
    ids=["half to even", "downwards", "floats"],
)
def test_control_the_usual_mistakes_are_found(naive: Callable[[int, int], int]) -> None:
    assert wrong_roundings(naive, 1000) > 100


@pytest.mark.prove("P10 splits lose nothing", size=CASES, control="shares rounded one by one lose credits")
def test_a_million_splits_lose_nothing() -> None:
    random_source = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    lost = 0
    for _ in range(CASES):
        weights = [random_source.randint(0, 10**6) for _ in range(random_source.randint(1, 8))]
        weights[0] += 1
        amount = random_source.randint(-(10**15), 10**15)
        lost += abs(sum(amounts.split(amount, weights)) - amount)
    assert lost == 0


def test_control_shares_rounded_one_by_one_lose_credits() -> None:
    assert sum(amounts.divide_half_away(100 * weight, 3) for weight in (1, 1, 1)) != 100


@given(WHOLE, POSITIVE)
def test_rounding_is_symmetric_about_zero(numerator: int, denominator: int) -> None:
    assert amounts.divide_half_away(-numerator, denominator) == -amounts.divide_half_away(numerator, denominator)


@given(WHOLE, POSITIVE, some.integers(1, 10**9))
def test_a_quantum_is_the_nearest_multiple(numerator: int, denominator: int, quantum: int) -> None:
    rounded = amounts.round_to_quantum(numerator, denominator, quantum)
    assert rounded % quantum == 0
    assert 2 * abs(Fraction(numerator, denominator) - rounded) <= quantum


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(0, 1, 0), (0, 9, 0), (1, 3, 0), (1, 2, 1), (-1, 2, -1), (-1, 3, 0), (2, 3, 1), (-2, 3, -1), (5, 1, 5)],
)
def test_the_nearest_integer_a_half_away_from_zero(numerator: int, denominator: int, quotient: int) -> None:
    assert amounts.divide_half_away(numerator, denominator) == quotient
    assert amounts.round_to_quantum(numerator, denominator, 1) == quotient


@pytest.mark.parametrize("part", [0, -1])
def test_a_denominator_and_a_quantum_are_positive(part: int) -> None:
    with pytest.raises(ValueError, match="denominator"):
        amounts.divide_half_away(5, part)
    # Not even where both are negative, whose product is not.
    for denominator in (1, -1):
        with pytest.raises(ValueError, match="quantum"):
            amounts.round_to_quantum(5, denominator, part)


@given(some.integers(0, 10**12), some.integers(1, 10**9), some.integers(1, 10**6))
def test_price_times_quantity_is_rounded_once(price: int, quantity: int, quantum: int) -> None:
    expected = half_away(Fraction(price * quantity, amounts.MICRO * quantum)) * quantum
    assert amounts.priced(price, quantity, quantum) == expected


def test_a_charge_beyond_the_largest_amount_is_refused() -> None:
    with pytest.raises(amounts.NumberOutOfRangeError):
        amounts.priced(amounts.LARGEST_AMOUNT, 2 * amounts.MICRO, 1)


@given(some.integers(-(10**15), 10**15), some.lists(some.integers(0, 10**9), min_size=1, max_size=12))
def test_each_share_is_within_one_unit_of_its_exact_value(amount: int, weights: list[int]) -> None:
    weights[0] += 1
    shares = amounts.split(amount, weights)
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(amount * weight, sum(weights))) < 1
    assert amounts.split(-amount, weights) == [-share for share in shares]


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (0, [1, 2], [0, 0]),
        (1, [1, 1], [1, 0]),
        (-1, [1, 1], [-1, 0]),
        (100, [1, 1, 1], [34, 33, 33]),
        (5, [1, 2], [2, 3]),
        (-5, [1, 0, 2], [-2, 0, -3]),
    ],
)
def test_the_largest_remainder_and_of_equal_ones_the_first_gets_what_is_left(
    amount: int, weights: list[int], shares: list[int]
) -> None:
    assert amounts.split(amount, weights) == shares


@pytest.mark.parametrize("weights", [[], [0, 0], [3, -1]])
def test_weights_that_mean_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        amounts.split(5, weights)


@given(MICRO)
def test_a_text_comes_back_as_the_same_amount(value: int) -> None:
    text = amounts.format_micro(value)
    assert amounts.parse_amount(text, allow_negative=True) == value
    assert Fraction(text) == Fraction(value, amounts.MICRO)


@given(some.text(max_size=12))
def test_any_other_text_is_refused(text: str) -> None:
    if not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]{1,6})?", text, re.ASCII):
        with pytest.raises(amounts.MalformedNumberError):
            amounts.parse_amount(text, allow_negative=True)


MALFORMED = (
    "", " ", "1 ", " 1", "+1", "1_000", "1,5", "1e3", "1E3", "NaN", "nan", "Infinity", "-inf", "0x10", ".5", "5.",
    "--1", "1.2.3", "\uff11\uff12", "\u0661", "1\n", "1.0000001", "01", "-0", "-0.0", "9" * 41, "\u22121", "1\u00a0",
)  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_numbers_are_refused_everywhere(text: str) -> None:
    for parse in (amounts.parse_amount, amounts.parse_quantity):
        with pytest.raises(amounts.MalformedNumberError):
            parse(text)


@pytest.mark.parametrize("text", ["-1", "1000000000.000001", "1" * 40])
def test_impossible_amounts_are_told_apart_from_malformed_ones(text: str) -> None:
    with pytest.raises(amounts.NumberOutOfRangeError):
        amounts.parse_amount(text)


@pytest.mark.parametrize(("text", "micro"), [("0.000001", 1), ("1000000000", 10**15), ("999999999.999999", 10**15 - 1)])
def test_the_least_and_the_most_are_numbers(text: str, micro: int) -> None:
    assert amounts.parse_quantity(text) == amounts.parse_amount(text) == micro
    assert amounts.parse_amount(f"-{text}", allow_negative=True) == -micro
    assert amounts.priced(amounts.MICRO, micro, 1) == micro
    assert amounts.priced(-amounts.MICRO, micro, 1) == -micro


@pytest.mark.parametrize("text", ["0", "0.000000", "-1", "1000000000.000001"])
def test_a_quantity_is_positive_and_bounded(text: str) -> None:
    with pytest.raises(amounts.NumberOutOfRangeError):
        amounts.parse_quantity(text)


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (1250, "EUR", "12.50 EUR"),
        (-5, "USD", "-0.05 USD"),
        (1250, "JPY", "1250 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (0, "CHF", "0.00 CHF"),
    ],
)
def test_money_is_written_with_the_digits_of_its_currency(value: int, currency: str, text: str) -> None:
    assert amounts.format_minor(value, currency) == text


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "\uff25\uff35\uff32"])
def test_a_currency_is_an_iso_code(currency: str) -> None:
    with pytest.raises(amounts.MalformedNumberError):
        amounts.format_minor(1, currency)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (1_234_564_623_456, "1,234,564.623456"),
        (-1_000_000_000, "-1,000"),
        (999_999_999, "999.999999"),
        (-1, "-0.000001"),
    ],
)
def test_people_read_thousands_apart(value: int, shown: str) -> None:
    assert amounts.show_micro(value) == shown
    assert amounts.parse_amount(shown.replace(",", ""), allow_negative=True) == value


def test_numbers_below_one_another_have_the_same_places() -> None:
    assert amounts.show_column([1_191_300_000, -1_180_720_000, 0]) == ["1,191.30", "-1,180.72", "0.00"]
    assert amounts.show_column([1_000_000]) == ["1"]
    assert amounts.show_column([]) == []
