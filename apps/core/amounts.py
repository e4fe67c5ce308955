"""Amounts and quantities: integers inside, decimal strings outside, and the one rounding of the product. Pure.

Credits are integer micro-credits (1 credit = 1,000,000), quantities are integer micro-units, money of a currency is
integer minor units (spec 05, Credits; spec 12, Not taken). No floating point anywhere. Every division of the product
that may leave a remainder is `divide_half_away`, so there is one rounding: half up, and for negative amounts half away
from zero, so that a reversal mirrors its charge to the micro-credit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

MICRO = 1_000_000
PLACES = 6
# 10^9 credits and 10^9 units: far beyond any account, and 9,000 of them still fit a BIGINT sum.
LARGEST_AMOUNT = 10**9 * MICRO
LARGEST_QUANTITY = 10**9 * MICRO
# The text form. ASCII digits only; no exponent, no leading zero, no bare dot.
AMOUNT_PATTERN = r"-?(0|[1-9][0-9]*)(\.[0-9]{1,6})?"
_AMOUNT = re.compile(AMOUNT_PATTERN, re.ASCII)
# The same within its bounds, as the OpenAPI document has it: more than 0 and at most 10^9, or 0.
_PLACES_ABOVE_ZERO = "|".join("0" * zeros + f"[1-9][0-9]{{0,{PLACES - 1 - zeros}}}" for zeros in range(PLACES))
POSITIVE_PATTERN = rf"([1-9][0-9]{{0,8}}(\.[0-9]{{1,6}})?|1000000000(\.0{{1,6}})?|0\.({_PLACES_ABOVE_ZERO}))"
ZERO_PATTERN = r"0(\.0{1,6})?"
_LONGEST_TEXT = 40

# ISO 4217: the currencies whose minor unit is not a hundredth.
_NO_MINOR = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_MINOR_DIGITS = {
    **dict.fromkeys(_NO_MINOR.split(), 0),
    **dict.fromkeys(_THOUSANDTHS.split(), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_USUAL_MINOR_DIGITS = 2
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
# ISO 4217: money of today, and what old invoices may still name. Neither metals nor codes for testing.
_ISO = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
    HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
    RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD
    TZS UAH UGX USD UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL
"""
ISO_CURRENCIES = frozenset(_ISO.split())


class MalformedNumberError(ValueError):
    """The text is not a decimal number in our form."""


class NumberOutOfRangeError(ValueError):
    """A number in the right form that can't be: negative where that has no sense, zero, or too large."""


def parse_amount(text: str, *, allow_negative: bool = False) -> int:
    """Micro-credits of a decimal string such as "12.5": at most 6 places, at most 10^9 credits either way."""
    value = _micro(text)
    if value < 0 and not allow_negative:
        raise NumberOutOfRangeError("The amount may not be negative.")
    if abs(value) > LARGEST_AMOUNT:
        raise NumberOutOfRangeError(f"The amount may be at most {format_micro(LARGEST_AMOUNT)}.")
    return value


@lru_cache(maxsize=1_024)  # most runs are of a few sizes
def parse_quantity(text: str) -> int:
    """Micro-units of a quantity: more than 0, at most 10^9, at most 6 places (spec 05, Calls)."""
    value = _micro(text)
    if value <= 0:
        raise NumberOutOfRangeError("The quantity must be more than 0.")
    if value > LARGEST_QUANTITY:
        raise NumberOutOfRangeError(f"The quantity may be at most {format_micro(LARGEST_QUANTITY)}.")
    return value


def format_micro(value: int) -> str:
    """The shortest decimal string of micro-credits or micro-units: "12.5", "0", "-0.000001"."""
    whole, rest = divmod(abs(value), MICRO)
    text = f"{whole}.{rest:06d}".rstrip("0") if rest else str(whole)
    return f"-{text}" if value < 0 else text


def show_micro(value: int, *, places: int = 0) -> str:
    """The number for people, with thousands apart: "1,234.5"; with at least so many digits behind the dot."""
    whole, _, rest = format_micro(abs(value)).partition(".")
    rest = rest.ljust(places, "0")
    text = f"{int(whole):,}.{rest}" if rest else f"{int(whole):,}"
    return f"-{text}" if value < 0 else text


def show_column(values: Sequence[int]) -> list[str]:
    """Numbers that stand below one another: as `show_micro`, all with the same digits behind the dot."""
    places = max([0, *(len(format_micro(value).partition(".")[2]) for value in values)])
    return [show_micro(value, places=places) for value in values]


def minor_digits(currency: str) -> int:
    """How many digits of the currency's amount stand behind the dot (ISO 4217: EUR 2, JPY 0, KWD 3)."""
    if not _CURRENCY.fullmatch(currency):
        raise MalformedNumberError(f"{currency!r} is not an ISO 4217 code of three capital letters.")
    return _MINOR_DIGITS.get(currency, _USUAL_MINOR_DIGITS)


def format_minor(value: int, currency: str, *, is_grouped: bool = False) -> str:
    """Minor units with their currency, for people: 1250 EUR is "12.50 EUR", 1250 JPY "1250 JPY" or "1,250 JPY"."""
    return f"{format_minor_number(value, currency, is_grouped=is_grouped)} {currency}"


def format_minor_number(value: int, currency: str, *, is_grouped: bool = False) -> str:
    """The same without its currency, where that stands beside it: "12.50"."""
    digits = minor_digits(currency)
    whole, rest = divmod(abs(value), 10**digits)
    sign = "-" if value < 0 else ""
    places = f".{rest:0{digits}d}" if digits else ""
    number = f"{whole:,}" if is_grouped else f"{whole}"
    return f"{sign}{number}{places}"


def divide_half_away(numerator: int, denominator: int) -> int:
    """The quotient, rounded once to the nearest integer; an exact half goes away from zero."""
    if denominator <= 0:
        raise ValueError("The denominator must be positive.")
    if numerator < 0:
        return -divide_half_away(-numerator, denominator)
    quotient, remainder = divmod(numerator, denominator)
    return quotient + 1 if 2 * remainder >= denominator else quotient


def round_to_quantum(numerator: int, denominator: int, quantum: int) -> int:
    """The exact fraction rounded once to a multiple of `quantum` (positive, same unit as the result)."""
    if quantum <= 0:
        raise ValueError("The quantum must be positive.")
    return divide_half_away(numerator, denominator * quantum) * quantum


def priced(price: int, quantity: int, quantum: int) -> int:
    """Price times quantity, computed exactly and rounded once, half up, to the quantum (spec 05, Policy).

    `price` is micro-credits a unit, `quantity` micro-units, `quantum` micro-credits; the result is micro-credits.
    Raises `NumberOutOfRangeError` where the result is beyond the largest amount.
    """
    result = round_to_quantum(price * quantity, MICRO, quantum)
    if abs(result) > LARGEST_AMOUNT:
        raise NumberOutOfRangeError(
            f"Price times quantity is {format_micro(result)}; one charge may be at most {format_micro(LARGEST_AMOUNT)}."
        )
    return result


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Shares of `amount` in proportion to the weights, by largest remainder; their sum is exactly `amount`.

    Each share differs from its exact value by less than one unit, and of two equal remainders the earlier one gets the
    unit. Negative amounts are split as the mirror image of positive ones.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("The weights may not be negative, and one of them must be positive.")
    if amount < 0:
        return [-share for share in split(-amount, weights)]
    parts = [divmod(amount * weight, total) for weight in weights]
    shares = [whole for whole, _ in parts]
    left = amount - sum(shares)
    by_remainder = sorted(range(len(parts)), key=lambda index: (-parts[index][1], index))
    for index in by_remainder[:left]:
        shares[index] += 1
    return shares


def _micro(text: str) -> int:
    """The number as integer millionths, by its digits alone."""
    if len(text) > _LONGEST_TEXT or not _AMOUNT.fullmatch(text):
        raise MalformedNumberError(
            'Write a plain decimal number as text, such as "12.5": ASCII digits, at most 6 places, no exponent.'
        )
    whole, _, places = text.removeprefix("-").partition(".")
    value = int(whole) * MICRO + int(places.ljust(PLACES, "0"))
    if text.startswith("-") and value == 0:
        raise MalformedNumberError('There is no negative zero; write "0".')
    return -value if text.startswith("-") else value
