"""Amounts in the units of payment providers, read into ours. Pure.

A provider's smallest unit is not always ISO 4217's: Stripe sends krónur and Ugandan shillings in hundredths, which they
do not have, and ariary whole (docs.stripe.com/currencies, "Zero-decimal currencies" and "Special cases"). So each
provider's amounts pass its own function here, wherever they come in, and inside there are only minor units of ISO 4217.
"""

from __future__ import annotations

from decimal import Decimal

from apps.core.amounts import ISO_CURRENCIES, divide_half_away, minor_digits

# How many digits of Stripe's integer stand behind the dot; 2 unless it stands here.
_STRIPE_WHOLE = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
# Their last digit is always 0.
_STRIPE_THOUSANDTHS = "BHD JOD KWD OMR TND"
_STRIPE_DIGITS = {**dict.fromkeys(_STRIPE_WHOLE.split(), 0), **dict.fromkeys(_STRIPE_THOUSANDTHS.split(), 3)}
_STRIPE_USUAL_DIGITS = 2


def iso_currency(text: str | None) -> str:
    """The ISO 4217 code in capitals; empty for anything else, such as a stablecoin or Orb's own credits."""
    code = (text or "").upper()
    return code if code in ISO_CURRENCIES else ""


def stripe_digits(currency: str) -> int:
    """How many digits of Stripe's integer amounts of this ISO currency stand behind the dot."""
    return _STRIPE_DIGITS.get(currency, _STRIPE_USUAL_DIGITS)


def minor_from_stripe(amount: int, currency: str) -> int:
    """ISO minor units of Stripe's integer amount; what they can't hold is rounded, half away from zero.

    `currency` is an ISO code in capitals. Nothing is left over in practice: Stripe asks for whole krónur.
    """
    digits = minor_digits(currency) - stripe_digits(currency)
    return amount * 10**digits if digits >= 0 else divide_half_away(amount, 10**-digits)


def minor_from_decimal(value: Decimal, currency: str) -> int:
    """ISO minor units of an amount in whole units, as Orb and Google send it; a part of one is rounded, half away."""
    numerator, denominator = value.as_integer_ratio()
    return divide_half_away(numerator * 10 ** minor_digits(currency.upper()), denominator)
