"""Strict fields: a value has exactly its declared JSON type and form, or it is refused with a remedy.

Nothing is converted on the way in: no text to number, no number to truth, no trimming. Each field knows which of its
codes mean "well-formed, but can't be" (422); every other code is a malformed request (400) (spec 09, HTTP).
`wire_schema` is what the OpenAPI document says about the field.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from typing import Any, ClassVar, NoReturn

from rest_framework.fields import Field

from apps.core.emails import LONGEST_EMAIL, EmailAddressError, canonical_email
from apps.core.errors import FieldError
from apps.core.texts import LINE_REFUSED, LINES_REFUSED, text_pattern
from apps.core.wire.refusals import FieldRefusedError

UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_UUID = re.compile(UUID_PATTERN, re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", re.ASCII)
_LARGEST_INTEGER = 2**63 - 1
# Bounds of what we take; what we answer may lie beyond them.
_BOUNDS = frozenset({"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"})
_JSON_TYPES: dict[type, str] = {bool: "a boolean", int: "an integer", float: "a number", str: "text", list: "a list"}


class StrictField(Field[Any, Any, Any, Any]):
    """Base of the strict fields."""

    # What a person reads in "must be …".
    expected: ClassVar[str]
    impossible_codes: ClassVar[frozenset[str]] = frozenset()
    default_error_messages: ClassVar[dict[str, Any]] = {
        "required": "this field is required.",
        "null": "this field may not be null.",
        "wrong_type": "must be {expected}, not {found}.",
    }

    def fail(self, key: str, *, suggestion: str | None = None, **kwargs: Any) -> NoReturn:
        """Refuse the value; the code says whether it is malformed or impossible."""
        message = str(self.error_messages[key]).format(**kwargs)
        errors = (FieldError(field="", code=key, message=message, suggestion=suggestion),)
        if key in self.impossible_codes:
            raise FieldRefusedError(impossible=errors)
        raise FieldRefusedError(malformed=errors)

    def fail_type(self, data: Any) -> NoReturn:
        """Refuse the JSON type."""
        self.fail("wrong_type", expected=self.expected, found=json_type(data))

    def to_representation(self, value: Any) -> Any:
        return value

    def wire_schema(self) -> dict[str, Any]:
        """The JSON Schema of the field in a request, without nullability."""
        raise NotImplementedError

    def answer_schema(self) -> dict[str, Any]:
        """The same in an answer, where the bounds of requests do not hold."""
        return {name: value for name, value in self.wire_schema().items() if name not in _BOUNDS}


class StrictBooleanField(StrictField):
    """`true` or `false`, and nothing that resembles them."""

    expected = "true or false"

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail_type(data)
        return data

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class StrictIntegerField(StrictField):
    """A JSON integer within bounds (by default those of a BIGINT, from 0 on): not 12.0, not "12", not true."""

    expected = "an integer"
    impossible_codes = frozenset({"out_of_range"})
    default_error_messages: ClassVar[dict[str, Any]] = {"out_of_range": "must be from {least} to {most}."}

    def __init__(self, *, least: int = 0, most: int = _LARGEST_INTEGER, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least
        self.most = most

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail_type(data)
        if not self.least <= data <= self.most:
            self.fail("out_of_range", least=self.least, most=self.most)
        return int(data)

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class StrictCharField(StrictField):
    """Text, kept to the character. Control and direction-changing characters are refused, nothing is trimmed.

    `multiline` lets line breaks and tabs through. Lengths count characters.
    """

    expected = "text"
    impossible_codes = frozenset({"blank", "too_short", "too_long"})
    default_error_messages: ClassVar[dict[str, Any]] = {
        "control_character": "may not hold the character {name}; remove it.",
        "blank": "may not be empty.",
        "too_short": "must have at least {least} characters.",
        "too_long": "may have at most {most} characters.",
    }

    def __init__(
        self, *, most: int = 255, least: int = 0, allow_blank: bool = False, multiline: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.most = most
        self.least = least if allow_blank else max(least, 1)
        self.may_be_blank = allow_blank
        self.multiline = multiline

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail_type(data)
        unseen = (LINES_REFUSED if self.multiline else LINE_REFUSED).search(data)
        if unseen is not None:
            self.fail("control_character", name=f"U+{ord(unseen[0]):04X}")
        if not data.strip() and not self.may_be_blank:
            self.fail("blank")
        if len(data) < self.least:
            self.fail("too_short", least=self.least)
        if len(data) > self.most:
            self.fail("too_long", most=self.most)
        return data

    def wire_schema(self) -> dict[str, Any]:
        pattern = text_pattern(multiline=self.multiline, may_be_blank=self.may_be_blank)
        least = {"minLength": self.least} if self.least else {}
        return {"type": "string", **least, "maxLength": self.most, "pattern": f"^{pattern}$"}

    def answer_schema(self) -> dict[str, Any]:
        return {"type": "string"}


class StrictSlugField(StrictCharField):
    """A lower-case name for addresses and programs: letters, digits, single hyphens or underscores between them."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_a_slug": 'must consist of a-z, 0-9 and single hyphens or underscores between them, such as "blue-team".',
    }

    def __init__(self, *, most: int = 63, **kwargs: Any) -> None:
        super().__init__(most=most, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _SLUG.fullmatch(value):
            self.fail("not_a_slug")
        return value

    def wire_schema(self) -> dict[str, Any]:
        return {**super().wire_schema(), "pattern": f"^{_SLUG.pattern}$"}

    def answer_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_SLUG.pattern}$"}


class StrictEmailField(StrictCharField):
    """An e-mail address, read to the one spelling of its mailbox."""

    default_error_messages: ClassVar[dict[str, Any]] = {"not_an_email": "{reason}"}

    def __init__(self, *, most: int = LONGEST_EMAIL, **kwargs: Any) -> None:
        super().__init__(most=most, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        try:
            return canonical_email(value)
        except EmailAddressError as error:
            self.fail("not_an_email", reason=str(error))

    def wire_schema(self) -> dict[str, Any]:
        return {**super().wire_schema(), "format": "email"}

    def answer_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "email"}


class StrictUUIDField(StrictField):
    """A UUID in its lower-case text form, the only one on our wire (spec 09, HTTP)."""

    expected = "a UUID as text"
    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_a_uuid": 'must be a UUID in lower-case text form, such as "0b7e6f1c-5f1d-4c7a-9d0e-2f6a1b3c4d5e".',
        "not_canonical": "must be written in lower case with hyphens: {meant}.",
    }

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str):
            self.fail_type(data)
        if _UUID.fullmatch(data):
            return uuid.UUID(data)
        try:
            meant = uuid.UUID(data)
        except ValueError:
            self.fail("not_a_uuid")
        return self.fail("not_canonical", suggestion=str(meant), meant=meant)

    def to_representation(self, value: Any) -> str:
        return str(value)

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid", "pattern": f"^{_UUID.pattern}$"}


class StrictChoiceField(StrictField):
    """One of the given texts; anything else is answered with the list and the closest of them."""

    expected = "text"
    default_error_messages: ClassVar[dict[str, Any]] = {
        "unknown_choice": "`{given}` is none of: {allowed}.{hint}",
    }

    def __init__(self, choices: type[Enum] | Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.values = tuple(str(choice.value) if isinstance(choice, Enum) else str(choice) for choice in choices)
        self._enum = choices if isinstance(choices, type) and issubclass(choices, Enum) else None

    def to_internal_value(self, data: Any) -> Any:
        """The member of the enumeration, or the text where plain texts were given."""
        if not isinstance(data, str):
            self.fail_type(data)
        if data not in self.values:
            close = get_close_matches(data[:100], self.values, n=1)
            suggestion = close[0] if close else None
            hint = f" Did you mean `{suggestion}`?" if suggestion else ""
            allowed = ", ".join(self.values)
            self.fail("unknown_choice", suggestion=suggestion, given=data[:100], allowed=allowed, hint=hint)
        return self._enum(data) if self._enum else data

    def to_representation(self, value: Any) -> str:
        return str(value.value) if isinstance(value, Enum) else str(value)

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.values)}


def json_type(data: Any) -> str:
    """The JSON type of a parsed value, in words."""
    if data is None:
        return "null"
    return _JSON_TYPES.get(type(data), "an object")
