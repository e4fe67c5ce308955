"""Each strict field against every malformed value: refused with the declared kind, never converted (spec 05)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from rest_framework import serializers

from apps.core.enums import MembershipRole
from apps.core.wire import fields, values
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.serializers import StrictListField

ID = "0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10"
TIME = "2026-04-03T09:30:00Z"

FIELDS: dict[str, Callable[[], fields.StrictField]] = {
    "boolean": fields.StrictBooleanField,
    "integer": lambda: fields.StrictIntegerField(most=255),
    "text": lambda: fields.StrictCharField(most=40),
    "slug": fields.StrictSlugField,
    "email": fields.StrictEmailField,
    "uuid": fields.StrictUUIDField,
    "choice": lambda: fields.StrictChoiceField(MembershipRole),
    "amount": values.AmountField,
    "quantity": values.QuantityField,
    "time": values.StrictTimeField,
    "object": values.StrictObjectField,
    "list": lambda: StrictListField(fields.StrictSlugField()),
}
GOOD: dict[str, list[tuple[Any, Any]]] = {
    "boolean": [(True, True), (False, False)],
    "integer": [(0, 0), (255, 255)],
    "text": [
        ("Ann", "Ann"),
        (" kept ", " kept "),
        ("Zoë 🎉", "Zoë 🎉"),
        (
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
    ],
    "slug": [("blue-team", "blue-team"), ("a_1", "a_1")],
    "email": [("Ann@Example.com", "ann@example.com")],
    "uuid": [(ID, UUID(ID))],
    "choice": [("admin", MembershipRole.ADMIN)],
    "amount": [("12.5", 12_500_000), ("0", 0), ("1000000000", 10**15)],
    "quantity": [("0.000001", 1), ("1000000000", 10**15)],
    "time": [
        (TIME, datetime(2026, 4, 3, 9, 30, tzinfo=UTC)),
        ("2026-04-03t11:30:00.5+02:00", datetime(2026, 4, 3, 9, 30, 0, 500_000, tzinfo=UTC)),
    ],
    "object": [({"a": [1]}, {"a": [1]})],
    "list": [([], []), (["a", "b"], ["a", "b"])],
}
# One of each JSON type; whatever is not the field's own type is refused by every field.
TYPES: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, 1, 12, 10**30],
    "number": [12.0, 0.5, 1e300],
    "text": ["12", "true", "yes", "", ID, TIME],
    "object": [{}, {"a": 1}],
    "list": [[], [1]],
}
OWN_TYPE = {"boolean": "boolean", "integer": "integer", "object": "object", "list": "list"}
WRONG_TYPE = [
    (name, value)
    for name in FIELDS
    for json_type, examples in TYPES.items()
    if json_type != OWN_TYPE.get(name, "text")
    for value in examples
]
MALFORMED: dict[str, list[Any]] = {
    "integer": [],
    "text": ["a\x00", "a\x1b[31m", "a\nb", "\u202eevil", "\ufeffa", "a\x7f", "\u2028"],
    "slug": ["Blue", "a b", "-a", "a-", "a--b", "\uff41", "a/b", "ä", "a\n"],
    "email": ["ann", "a@b@c.d", "@example.com", "a @example.com", "a@example.com\n", "a@example.com,b@example.com"],
    "uuid": [ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", ID[:-1], "x", "", f"{ID}\n"],
    "choice": ["", "Admin", "admim", "admin ", "administrator", "service"],
    "amount": ["", "1e3", "NaN", "1_000", "\uff11\uff12", "1,5", "+1", " 1", "1.0000001", "01", "inf", "-0", "12."],
    "quantity": ["", "1e3", "NaN", "1_000", "\uff11\uff12", "1,5", "+1", "1 ", "1.0000001", "inf", ".5"],
    "time": [
        "", "2026-04-03", "2026-04-03T09:30:00", "2026-04-03 09:30:00Z", "20260403T093000Z", "2026-04-03T09:30Z",
        "2026-04-03T09:30:00.Z", "2026-04-03T09:30:00+0200", "1775208600", "now", "\uff12026-04-03T09:30:00Z",
        "2026-04-03T09:30:00Z\n",
    ],
    "list": [["A"], [1], [None]],
}  # fmt: skip
IMPOSSIBLE: dict[str, list[Any]] = {
    "integer": [-1, 256, 10**30],
    "text": ["", "   ", "x" * 41],
    "amount": ["-1", "1000000000.000001", "1" * 30],
    "quantity": ["0", "0.0", "-1", "1000000000.000001"],
    "time": ["2026-02-30T00:00:00Z", "2026-04-03T25:00:00Z", "2026-06-29T23:59:60Z", "0001-01-01T00:00:00+10:00"],
    "list": [["a"] * 1001],
}


def refusal_of(name: str, value: Any) -> FieldRefusedError:
    with pytest.raises(FieldRefusedError) as caught:
        FIELDS[name]().run_validation(value)
    return caught.value


def pairs(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, examples in table.items() for value in examples]


@pytest.mark.parametrize(("name", "value"), WRONG_TYPE, ids=repr)
def test_another_json_type_is_malformed(name: str, value: Any) -> None:
    refusal = refusal_of(name, value)
    assert [error.code for error in refusal.malformed] == ["wrong_type"]
    assert refusal.as_error().kind.value == "malformed"


@pytest.mark.parametrize(("name", "value"), pairs(MALFORMED), ids=repr)
def test_a_malformed_value_is_refused(name: str, value: Any) -> None:
    # A blank text is the one value that is well-formed for text and malformed for all that stands on it.
    refusal = refusal_of(name, value)
    assert refusal.malformed or value == ""
    assert all(error.message for error in refusal.errors)


@pytest.mark.parametrize(("name", "value"), pairs(IMPOSSIBLE), ids=lambda value: repr(value)[:40])
def test_an_impossible_value_is_well_formed(name: str, value: Any) -> None:
    refusal = refusal_of(name, value)
    assert not refusal.malformed
    assert refusal.as_error().kind.value == "unprocessable"


@pytest.mark.parametrize("name", FIELDS)
def test_null_and_absence_are_refused_unless_allowed(name: str) -> None:
    assert [error.code for error in refusal_of(name, None).malformed] == ["null"]
    with pytest.raises(FieldRefusedError) as caught:
        FIELDS[name]().run_validation()
    assert [error.code for error in caught.value.malformed] == ["required"]


@pytest.mark.parametrize(
    ("name", "value", "read"), [(n, v, r) for n, table in GOOD.items() for v, r in table], ids=repr
)
def test_a_good_value_is_read_exactly(name: str, value: Any, read: Any) -> None:
    result = FIELDS[name]().run_validation(value)
    assert result == read
    assert type(result) is type(read)


@pytest.mark.parametrize("name", ["uuid", "choice", "amount", "quantity", "slug", "boolean", "integer"])
def test_what_is_read_is_written_the_same(name: str) -> None:
    for value, read in GOOD[name]:
        assert FIELDS[name]().to_representation(read) == value


def test_a_time_is_written_in_utc_with_z() -> None:
    assert values.StrictTimeField().to_representation(datetime.fromisoformat("2026-04-03T11:30:00+02:00")) == TIME
    with pytest.raises(ValueError, match="naive"):
        values.format_time(datetime.fromisoformat("2026-04-03T11:30:00"))


@pytest.mark.parametrize(
    ("name", "value", "suggestion"),
    [
        ("uuid", ID.upper(), ID),
        ("uuid", ID.replace("-", ""), ID),
        ("choice", "admim", "admin"),
        ("choice", "zzz", None),
    ],
)
def test_a_near_miss_gets_a_suggestion(name: str, value: Any, suggestion: str | None) -> None:
    assert [error.suggestion for error in refusal_of(name, value).errors] == [suggestion]


NAIVE: list[tuple[serializers.Field[Any, Any, Any, Any], Any, Any]] = [
    (serializers.IntegerField(), "12", 12),
    (serializers.IntegerField(), 12.0, 12),
    (serializers.IntegerField(), "1_000", 1000),
    (serializers.IntegerField(), "\uff11\uff12", 12),
    (serializers.IntegerField(), 10**30, 10**30),
    (serializers.BooleanField(), "yes", True),
    (serializers.BooleanField(), 1, True),
    (serializers.CharField(), 5, "5"),
    (serializers.CharField(), " a ", "a"),
    (serializers.UUIDField(), ID.replace("-", ""), UUID(ID)),
    (serializers.UUIDField(), 5, UUID(int=5)),
    (serializers.DecimalField(max_digits=20, decimal_places=6), 0.5, Decimal("0.5")),
    (serializers.DecimalField(max_digits=20, decimal_places=6), "1e3", Decimal(1000)),
]


@pytest.mark.parametrize(("field", "value", "read"), NAIVE, ids=lambda value: repr(value)[:40])
def test_control_naive_fields_convert_them(field: serializers.Field[Any, Any, Any, Any], value: Any, read: Any) -> None:
    assert field.run_validation(value) == read


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_describes_itself(name: str) -> None:
    field = FIELDS[name]()
    assert field.wire_schema()["type"]
    assert field.answer_schema()["type"] == field.wire_schema()["type"]
