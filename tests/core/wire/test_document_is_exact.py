"""The OpenAPI document is exactly as strict as the server: at every limit of every field of every body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from apps.core.wire.fields import StrictEmailField, StrictField
from apps.core.wire.serializers import StrictListSerializer, StrictSerializer
from apps.core.wire.values import StrictObjectField
from apps.tenants.api.bodies import TimeZoneField
from tests.core.wire.document import DOCUMENT
from tests.core.wire.fuzzing import HOSTILE

SCHEMAS = DOCUMENT["components"]["schemas"]
# Whether an address can be delivered to, or a place exists, is more than a pattern can say.
MEANS_MORE = (StrictEmailField, TimeZoneField)
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
DECIMALS = (
    "0", "0.0", "0.000000", "0.0000000", "0.000001", "0.0000001", "0.100000", "1", "1.000000", "1.0000000",
    "999999999",
    "999999999.999999", "1000000000", "1000000000.0", "1000000000.000000", "1000000000.000001", "1000000001",
    "9999999999",
    "-0", "-0.0", "-0.000001", "-1", "-1000000000", "-1000000000.000001", "-999999999.999999", "01", "00",
    "1.", ".5", "+1",
    "1e3", "1,5", " 1", "1 ", "1\n", "\u0661", "\uff11", "0x1", "1_000", "--1", "-", "",
)  # fmt: skip
MOMENTS = (
    "2026-04-03T10:00:00Z", "2026-04-03t10:00:00z", "2026-04-03T10:00:00.5+02:00",
    "2026-04-03T10:00:00.123456789-00:00",
    "2000-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2200-12-31T23:59:59Z", "2201-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-00T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+00:60",
    "2026-01-01T00:00:00+23:59", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00Z",
    "2026-01-01T00:00:00.Z",
    "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z",
)  # fmt: skip
# Every character that either side may treat apart, in the middle of a text and alone.
CHARACTERS = [
    chr(code) for code in (*range(0x250), *range(0x2000, 0x2100), *range(0xD7F0, 0xD800), *range(0xE000, 0x10000, 97))
]
CHARACTERS += [*"\u061c\u180e\u1680\u3000\ufeff\ufff9\ufffb\ufffc\ufffd\ufffe\uffff\U0001f600\U000e1000"]
CHARACTERS += [*"\U000f0000\U00010348\ufb03\ufdfa\u200d\ue000\uf8ff"]
# Refused, and no pattern can say so that is read with and without ECMA's Unicode flag.
TAGS = "\U000e0000\U000e0001\U000e0041\U000e01ef\U000e0fff"


def bodies() -> Iterator[type[StrictSerializer]]:
    """Every body that the document has."""
    waiting = [StrictSerializer]
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        if found.__name__ in SCHEMAS and "additionalProperties" in SCHEMAS[found.__name__]:
            yield found


def fields() -> Iterator[tuple[str, StrictField, dict[str, Any]]]:
    """Each plain field of each body, with what the document says of it."""
    for body in bodies():
        for name, field in body().fields.items():
            if isinstance(field, StrictField):
                yield f"{body.__name__}.{name}", field, SCHEMAS[body.__name__]["properties"][name]


FIELDS = sorted(fields(), key=lambda found: found[0])


def permits(schema: dict[str, Any], value: Any) -> bool:
    """JSON Schema, as far as the document uses it."""
    types = schema.get("type", [])
    allowed = [types] if isinstance(types, str) else types
    if value is None and "null" in allowed:
        return True
    if isinstance(value, bool) and "boolean" not in allowed:
        return False
    if allowed and not isinstance(value, tuple(kind for name in allowed for kind in TYPES[name])):
        return False
    return "enum" not in schema or value in schema["enum"] if not _has_limits(schema, value) else False


def _has_limits(schema: dict[str, Any], value: Any) -> bool:
    """Whether a limit of the schema keeps the value out."""
    if isinstance(value, str):
        too_long = not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return too_long or ("pattern" in schema and not re.search(schema["pattern"].replace("$", r"\Z"), value))
    if isinstance(value, int):
        return not schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        wrong = any(not permits(schema["items"], item) for item in value)
        return wrong or not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
    return False


def takes(field: Any, value: Any) -> bool:
    try:
        field.run_validation(value)
    except ValidationError:
        return False
    return True


def candidates(schema: dict[str, Any]) -> Iterator[Any]:
    """Values on both sides of each limit, and whatever else readers disagree about."""
    # A float that is a whole number is an integer to JSON Schema and none to us; so is a number beyond all columns.
    # Which days February has is said by `format: date-time`.
    yield from (
        value for value in HOSTILE if not isinstance(value, float) and "02-30" not in str(value) and not _has_tag(value)
    )
    yield from DECIMALS
    yield from MOMENTS
    yield from schema.get("enum", ())
    for limit in (schema.get("minLength"), schema.get("maxLength")):
        if limit is not None:
            yield from ("a" * length for length in (limit - 1, limit, limit + 1) if length >= 0)
            yield from ("é" * length for length in (limit, limit + 1))
            yield " " * limit
    for limit in (schema.get("minimum"), schema.get("maximum")):
        if limit is not None:
            yield from (limit - 1, limit, limit + 1)
    if schema.get("type") == "string" and "enum" not in schema:
        yield from (template.format(character) for character in CHARACTERS for template in ("{}", "a{}b"))


@pytest.mark.parametrize(("field", "schema"), [(f, s) for _, f, s in FIELDS], ids=[name for name, _, _ in FIELDS])
def test_document_and_server_take_the_same_values(field: StrictField, schema: dict[str, Any]) -> None:
    apart = [
        (value, permits(schema, value))
        for value in candidates(schema)
        if not (isinstance(value, str) and not value.isascii() and _is_surrogate(value))
        and permits(schema, value) != takes(field, value)
        and not (isinstance(field, MEANS_MORE) and permits(schema, value))
    ]
    assert apart == []


def _has_tag(value: Any) -> bool:
    return isinstance(value, str) and any("\U000e0000" <= character <= "\U000e0fff" for character in value)


def _is_surrogate(text: str) -> bool:
    """JSON in UTF-8 can't carry it; the parser refuses the escape."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def test_the_server_refuses_what_no_pattern_can_say() -> None:
    texts = [(name, field) for name, field, schema in FIELDS if schema.get("type") == "string"]
    assert texts
    assert [(name, tag) for name, field in texts for tag in TAGS if takes(field, f"a{tag}b")] == []


def patterns(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from patterns(each)
    elif isinstance(part, dict):
        for name, each in part.items():
            if name == "pattern" and isinstance(each, str):
                yield each
            else:
                yield from patterns(each)


def test_every_pattern_compiles_without_the_unicode_flag_too() -> None:
    """There a character beyond 16 bits is two, and a range of them runs from a higher half to a lower one."""
    found = set(patterns(DOCUMENT))
    assert len(found) > 10
    assert {pattern for pattern in found if any(ord(character) > 0xFFFF for character in pattern)} == set()
    assert {pattern for pattern in found if "\\u{" in pattern or "\\p{" in pattern} == set()


@pytest.mark.parametrize("body", list(bodies()), ids=lambda body: body.__name__)
def test_document_and_server_ask_for_the_same_fields(body: type[StrictSerializer]) -> None:
    schema = SCHEMAS[body.__name__]
    declared = body().fields
    assert set(schema.get("properties", {})) == set(declared)
    assert set(schema.get("required", [])) == {str(name) for name, field in declared.items() if field.required}
    for name, field in declared.items():
        if isinstance(field, StrictListSerializer):
            bounds = schema["properties"][name]
            assert (bounds["minItems"], bounds["maxItems"]) == (field.least, field.most)


def test_every_body_is_compared() -> None:
    named = set()
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                [content] = operation["requestBody"]["content"].values()
                named.add(content["schema"]["$ref"].rpartition("/")[2])
    assert named <= {body.__name__ for body in bodies()}
    assert len(FIELDS) > 40
    assert any(isinstance(field, StrictObjectField) for _, field, _ in FIELDS)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "\x00"),
        ({"type": "string", "maxLength": 300}, "x" * 299),
        ({"type": "integer", "minimum": 0}, 256),
        ({"type": ["string", "null"]}, None),
    ],
)
def test_a_looser_document_is_found(schema: dict[str, Any], value: Any) -> None:
    assert permits(schema, value)
