"""Strict fields of the business's own values: amounts and quantities as decimal strings, times with an offset, JSON.

Floats never pass: a JSON number, whatever its value, is refused where a decimal string is meant (spec 05, Calls).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from apps.core import amounts
from apps.core.moments import MOMENT_PATTERN, ImpossibleMomentError, MomentError, NoOffsetError, read_moment
from apps.core.wire.fields import StrictField


class DecimalStringField(StrictField):
    """A decimal string, read to integer millionths. Use `AmountField` or `QuantityField`."""

    expected = 'a decimal number as text, such as "12.5"'
    impossible_codes = frozenset({"out_of_range"})
    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_a_decimal": "{reason}",
        "out_of_range": "{reason}",
    }

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str):
            self.fail_type(data)
        try:
            return self.parsed(data)
        except amounts.MalformedNumberError as error:
            self.fail("not_a_decimal", reason=str(error))
        except amounts.NumberOutOfRangeError as error:
            self.fail("out_of_range", reason=str(error))

    def parsed(self, text: str) -> int:
        """The integer millionths, or one of the two errors of `apps.core.amounts`."""
        raise NotImplementedError

    def to_representation(self, value: Any) -> str:
        return amounts.format_micro(int(value))

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({self.bounded_pattern()})$"}

    def bounded_pattern(self) -> str:
        """What the texts that are taken look like."""
        return amounts.POSITIVE_PATTERN

    def answer_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{amounts.AMOUNT_PATTERN}$"}


class AmountField(DecimalStringField):
    """Credits: micro-credits inside, 0 to 10^9; below 0 only with `allow_negative`."""

    def __init__(self, *, allow_negative: bool = False, allow_zero: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allow_negative = allow_negative
        self.allow_zero = allow_zero

    def parsed(self, text: str) -> int:
        value = amounts.parse_amount(text, allow_negative=self.allow_negative)
        if value == 0 and not self.allow_zero:
            raise amounts.NumberOutOfRangeError("The amount may not be 0.")
        return value

    def bounded_pattern(self) -> str:
        sign, zero = "-?" if self.allow_negative else "", f"|{amounts.ZERO_PATTERN}" if self.allow_zero else ""
        return f"{sign}{amounts.POSITIVE_PATTERN}{zero}"


class QuantityField(DecimalStringField):
    """A quantity: micro-units inside, more than 0 and at most 10^9."""

    def parsed(self, text: str) -> int:
        return amounts.parse_quantity(text)


class StrictTimeField(StrictField):
    """A moment in RFC 3339 with its offset and within our bounds, read to UTC (`apps.core.moments`)."""

    expected = 'a time as text, such as "2026-04-03T10:00:00Z"'
    impossible_codes = frozenset({"no_such_time"})
    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_a_time": "{reason}",
        "no_offset": "{reason}",
        "no_such_time": "{reason}",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            self.fail_type(data)
        try:
            return read_moment(data)
        except NoOffsetError as error:
            self.fail("no_offset", reason=str(error))
        except ImpossibleMomentError as error:
            self.fail("no_such_time", reason=str(error))
        except MomentError as error:
            self.fail("not_a_time", reason=str(error))

    def to_representation(self, value: Any) -> str:
        return format_time(value)

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "pattern": f"^{MOMENT_PATTERN}$"}

    def answer_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class StrictObjectField(StrictField):
    """A free JSON object, such as a connector's settings, which its own provider checks."""

    expected = "an object"

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail_type(data)
        return data

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": True}


def format_time(moment: datetime) -> str:
    """The moment on our wire: RFC 3339 in UTC with `Z`, microseconds only where there are any."""
    if moment.tzinfo is None:
        raise ValueError("A naive time is not a moment.")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
