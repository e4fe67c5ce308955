"""Serializers that drop nothing in silence: unknown fields are refused with the closest known name (spec 05).

A body is declared once, as a `StrictSerializer`. Its `read` is the one reader, and the OpenAPI document is made from
it. `AnswerSerializer` describes answers, to which fields may be added freely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import Any, ClassVar, NoReturn

from rest_framework.exceptions import ValidationError
from rest_framework.fields import Field, empty
from rest_framework.serializers import ListSerializer, Serializer  # noqa: TID251 - the strict base stands on it

from apps.core.errors import FieldError
from apps.core.wire.fields import StrictField, json_type
from apps.core.wire.refusals import FieldRefusedError, join_refusals, refusal_from, unknown_name

# A hostile body may hold a hundred thousand wrong names; the answer names enough of them to act upon.
_MOST_UNKNOWN_SHOWN = 20
_MOST_REFUSED_ITEMS = 50


class StrictList:
    """The checks of a list, shared by lists of objects and lists of plain values."""

    least: int
    most: int

    def read_items(self, data: Any, read_one: Callable[[Any], Any]) -> list[Any]:
        """Each item read; refusals carry the item's position. Too many or too few items are impossible values."""
        if not isinstance(data, list):
            raise _refusal("wrong_type", f"must be a list, not {json_type(data)}.")
        if not self.least <= len(data) <= self.most:
            error = FieldError("", "out_of_range", f"must have {self.least} to {self.most} items, not {len(data)}.")
            raise FieldRefusedError(impossible=[error])
        values: list[Any] = []
        refusals: list[FieldRefusedError] = []
        for position, item in enumerate(data):
            try:
                values.append(read_one(item))
            except ValidationError as error:
                refusals.append(refusal_from(error).below(str(position)))
                if len(refusals) >= _MOST_REFUSED_ITEMS:
                    break
        _raise_joined(refusals)
        return values


class StrictListSerializer(ListSerializer[Any], StrictList):
    """A list of bodies, `StrictListSerializer(child=…, max_length=…)`; at most 1,000 unless told otherwise."""

    default_error_messages: ClassVar[dict[str, Any]] = StrictField.default_error_messages

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.least = kwargs.get("min_length") or 0
        self.most = kwargs.setdefault("max_length", 1000)
        super().__init__(*args, **kwargs)

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        raise _refusal(key, str(self.error_messages[key]).format(**kwargs))

    def to_internal_value(self, data: Any) -> list[Any]:
        return self.read_items(data, self.run_child_validation)

    def run_validation(self, data: Any = empty) -> Any:
        is_empty, data = self.validate_empty_values(data)
        return data if is_empty else self.to_internal_value(data)


class StrictListField(StrictField, StrictList):
    """A list of plain values, each read by `child`."""

    expected = "a list"

    def __init__(self, child: StrictField, *, least: int = 0, most: int = 1000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.child = child
        self.least = least
        self.most = most
        self.child.bind(field_name="", parent=self)  # type: ignore[arg-type]  # as DRF's own ListField does

    def to_internal_value(self, data: Any) -> list[Any]:
        return self.read_items(data, self.child.run_validation)

    def to_representation(self, value: Iterable[Any]) -> list[Any]:
        return [self.child.to_representation(item) for item in value]

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.child.wire_schema(), "minItems": self.least, "maxItems": self.most}

    def answer_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.child.answer_schema()}


class StrictSerializer(Serializer[Any]):
    """Reads an object with exactly the declared fields; see `read`.

    Fields are strict fields, other strict serializers, or lists of these; a plain DRF field is refused when the class
    is made, since it would convert what it reads.
    """

    class Meta:
        list_serializer_class = StrictListSerializer

    default_error_messages: ClassVar[dict[str, Any]] = {
        "required": "this field is required.",
        "null": "this field may not be null.",
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, field in vars(cls).get("_declared_fields", {}).items():
            if not isinstance(field, StrictField | StrictSerializer | StrictListSerializer):
                raise TypeError(f"{cls.__name__}.{name} is a {type(field).__name__}, which reads loosely.")
            if field.default is not empty or field.source is not None:
                raise TypeError(f"{cls.__name__}.{name} has a default or a source; values are read as they are sent.")

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """The validated values of a parsed body, or one `FieldRefusedError` with everything that is wrong."""
        values: dict[str, Any] = _reader_of(cls).run_validation(data)
        return values

    @classmethod
    def may_be_left_out(cls) -> bool:
        """Whether no body means an empty object."""
        return not any(field.required for field in cls._declared_fields.values())

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        raise _refusal(key, str(self.error_messages[key]).format(**kwargs))

    def run_validation(self, data: Any = empty) -> Any:
        is_empty, data = self.validate_empty_values(data)
        if is_empty:
            return data
        value = self.to_internal_value(data)
        try:
            if self.validators:
                self.run_validators(value)
            return self.validate(value)
        except ValidationError as error:
            raise refusal_from(error) from error

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise _refusal("wrong_type", f"must be an object, not {json_type(data)}.")
        refusals = self._refuse_unknown(data)
        values: dict[str, Any] = {}
        for name, (read, field) in self._readable.items():
            value = data.get(name, empty)
            if value is empty and not field.required:
                continue
            try:
                # The library's own steps are for what is missing or null; they would take most of the time of a read.
                values[name] = field.run_validation(value) if value is None or value is empty else read(value)
            except ValidationError as error:
                refusals.append(refusal_from(error).below(name))
        _raise_joined(refusals)
        return values

    @cached_property
    def _readable(self) -> dict[str, tuple[Callable[[Any], Any], Field[Any, Any, Any, Any]]]:
        """By name: how a value that is there is read, and the field."""
        return {str(field.field_name): (_read_of(field), field) for field in self._writable_fields}

    def _refuse_unknown(self, data: Mapping[str, Any]) -> list[FieldRefusedError]:
        known = self._readable
        unknown = [name for name in data if name not in known][:_MOST_UNKNOWN_SHOWN]
        return [FieldRefusedError(malformed=[unknown_name(name, sorted(known)) for name in unknown])] if unknown else []


def _read_of(field: Field[Any, Any, Any, Any]) -> Callable[[Any], Any]:
    is_plain = isinstance(field, StrictField) and not field.validators
    return field.to_internal_value if is_plain else field.run_validation


@cache
def _reader_of(body: type[StrictSerializer]) -> StrictSerializer:
    """One instance reads every body of its class: to make one copies each field, and takes ten times the reading."""
    return body()


class AnswerSerializer(Serializer[Any]):
    """Describes and renders an answer; reads nothing."""

    def run_validation(self, data: Any = empty) -> NoReturn:
        raise TypeError(f"{type(self).__name__} describes an answer; requests are read by a StrictSerializer.")


class EmptyRequest(StrictSerializer):
    """A body with no fields, for verbs that need none; the body may be left out."""


def impossible(field: str, code: str, message: str) -> FieldRefusedError:
    """For `validate` of a serializer: the field is well-formed and can't be (422)."""
    return FieldRefusedError(impossible=[FieldError(field, code, message)])


def malformed(field: str, code: str, message: str) -> FieldRefusedError:
    """For `validate` of a serializer: the field makes the request malformed (400)."""
    return FieldRefusedError(malformed=[FieldError(field, code, message)])


def _refusal(code: str, message: str) -> FieldRefusedError:
    return FieldRefusedError(malformed=[FieldError(field="", code=code, message=message)])


def _raise_joined(refusals: Iterable[FieldRefusedError]) -> None:
    joined = join_refusals(refusals)
    if joined is not None:
        raise joined
