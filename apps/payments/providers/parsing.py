"""Reads what providers send: their bodies at the door, afterwards the values in them.

Nothing that a provider has signed is refused for what it holds (spec 04, Webhooks). So the door asks no more of a body
than to be a JSON object with an `id` and a `type`, however deep, however strange the rest of it is. Afterwards, what a
decision rests on is exact: a value that is not as it must be makes the event unreadable, and names the field.
Everything else (`Maybe…`) is left out where it is not as it should be: a text that nobody needs must not keep a paid
invoice from being read.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from apps.core.depths import is_too_deep
from apps.core.errors import FieldError, MalformedRequestError
from apps.core.moments import PROVIDER_YEARS, read_iso_moment, read_seconds
from apps.core.texts import UNSTORABLE
from apps.core.wire.parser import parse_object

# No currency of the world has amounts of more digits, and a hundred times as much still fits a BIGINT.
_BIGGEST = 10**16
_MOST_DIGITS = 40


class UnreadableError(MalformedRequestError):
    """A stored event holds a value that we can't read; `errors` name it. The event waits for a person or an upgrade."""

    code = "unreadable"
    title = "The event can't be read"


class ProviderModel(BaseModel):
    """A part of a provider's body: exact types for the fields that we use; others are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def _moment(value: object) -> object:
    return read_seconds(value, years=PROVIDER_YEARS)


def _iso_moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is not a time")  # noqa: TRY004 - pydantic collects ValueErrors alone
    return read_iso_moment(value, years=PROVIDER_YEARS)  # Orb's times are UTC and sometimes do not say so


def _id_or_object(value: object) -> object:
    """Stripe sends a related object as its id, or expanded."""
    return value.get("id") if isinstance(value, dict) else value


def _storable(value: object) -> object:
    if isinstance(value, str) and UNSTORABLE.search(value):
        raise ValueError("holds a NUL character or half of a surrogate pair")
    return value


def _replace_unstorable(value: object) -> object:
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def _or_none(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        return None


_MAYBE = WrapValidator(_or_none)

Seconds = Annotated[AwareDatetime, BeforeValidator(_moment)]
IsoTime = Annotated[AwareDatetime, BeforeValidator(_iso_moment)]
ExternalId = Annotated[str, Field(min_length=1, max_length=255), BeforeValidator(_storable)]
Reference = Annotated[ExternalId, BeforeValidator(_id_or_object)]
Minor = Annotated[int, Field(ge=-_BIGGEST, le=_BIGGEST)]
Metadata = dict[str, Any]

MaybeSeconds = Annotated[Seconds | None, _MAYBE]
MaybeIsoTime = Annotated[IsoTime | None, _MAYBE]
MaybeReference = Annotated[Reference | None, _MAYBE]
MaybeMinor = Annotated[Minor | None, _MAYBE]
MaybeText = Annotated[str | None, BeforeValidator(_replace_unstorable), _MAYBE]
MaybeFlag = Annotated[bool | None, _MAYBE]
MaybeNumber = Annotated[int | None, Field(ge=0, le=2**31 - 1), _MAYBE]
MaybeMetadata = Annotated[Metadata | None, _MAYBE]
MaybeList = Annotated[list[Any] | None, _MAYBE]
MaybeObject = Annotated[dict[str, Any] | None, _MAYBE]

ModelT = TypeVar("ModelT", bound=ProviderModel)


def validate(model: type[ModelT], body: object, where: str = "") -> ModelT:
    """The part of the body; raises `UnreadableError` naming the first field that is not as it must be."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join([*([where] if where else []), *(str(part) for part in first["loc"])]) or "body"
        raise unreadable(UNSTORABLE.sub("", field), first["msg"]) from error


def unreadable(field: str, message: str) -> UnreadableError:
    """The error that names the field."""
    name = field[:200]
    return UnreadableError(
        f"This is not an event that we can read. {name}: {message}.", errors=[FieldError(name, "unreadable", message)]
    )


def maybe(model: type[ModelT], body: object) -> ModelT | None:
    """The part of the body where it is one; None where not."""
    try:
        return model.model_validate(body)
    except ValidationError:
        return None


def uuid_in(value: object) -> UUID | None:
    """The UUID that the text spells in its usual form; None for anything else, which is then nobody's id."""
    if not isinstance(value, str):
        return None
    try:
        found = UUID(value)
    except ValueError:
        return None
    return found if str(found) == value.lower() else None


def text_in(values: Metadata, name: str, longest: int = 255) -> str:
    """A text of the metadata; empty where there is none that we could store."""
    value = values.get(name)
    return value if isinstance(value, str) and len(value) <= longest and not UNSTORABLE.search(value) else ""


def short(text: str | None, longest: int) -> str:
    """Text for a column that only shows it."""
    return (text or "")[:longest]


def decimal_in(value: object) -> Decimal | None:
    """The number, however it is spelled; None for what is none, is below zero, or is larger than money can be."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    fits = found.is_finite() and 0 <= found < _BIGGEST and len(found.as_tuple().digits) <= _MOST_DIGITS
    return found if fits and abs(found.adjusted()) <= _MOST_DIGITS else None


def web_address(text: str | None) -> str:
    """An address to link to; anything that is not https is not shown as a link."""
    return text if text and text.startswith("https://") and len(text) <= 4_000 else ""  # noqa: PLR2004


_LONGEST_NAME = {"id": 255, "type": 120}
_LONGEST_INTEGER = 100
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_OPENING, _CLOSING, _BETWEEN = frozenset("{["), frozenset("}]"), frozenset("{,")


@dataclass(frozen=True, slots=True)
class EventBody:
    """A body at the door: its event's id and type as columns hold them, and its object.

    `value` is None where the body is too deep to be read. `is_plain`: a JSON column can hold it.
    """

    raw: bytes
    event_id: str
    type: str
    value: dict[str, Any] | None
    is_plain: bool


def read_at_door(raw: bytes) -> EventBody:
    """Who the body is; raises `MalformedRequestError` unless it is a JSON object with an id and a type, both texts."""
    value, names, is_plain = _read_loosely(raw)
    if not isinstance(names, dict):
        raise MalformedRequestError("The body is not a JSON object.")
    return EventBody(raw, _name_in(names, "id"), _name_in(names, "type"), value, is_plain)


def _read_loosely(raw: bytes) -> tuple[dict[str, Any] | None, Any, bool]:
    """The object, the texts at its top, and whether it is as strict as what we take from our own callers."""
    try:
        strict = parse_object(raw)
    except MalformedRequestError:
        text = raw.decode("utf-8-sig", "replace")
    else:
        return strict, strict, True
    try:
        value = _parsed(text)
    except RecursionError:
        return None, _top_level_texts(text), False
    except ValueError as error:
        raise MalformedRequestError(f"The body is not JSON: {error}.") from None
    return value, value, False


def read_stored(raw: bytes) -> dict[str, Any]:
    """The object that a stored body spells; raises `UnreadableError` where it is too deep to be read."""
    try:
        found: dict[str, Any] = _parsed(raw.decode("utf-8-sig", "replace"))
    except RecursionError:
        raise unreadable("body", "is nested too deep") from None
    return found


def _parsed(text: str) -> Any:
    """The value; raises `RecursionError` where it is nested too deep, whatever this version of Python reads."""
    found = json.loads(text, parse_int=_integer, parse_float=Decimal, parse_constant=str)
    if is_too_deep(found):
        raise RecursionError("nested too deep")
    return found


def _integer(token: str) -> int | str:
    """An integer that nobody could mean stays the text that it is: no field that wants a number takes it."""
    return int(token) if len(token) <= _LONGEST_INTEGER else token


def _name_in(values: dict[str, Any], field: str) -> str:
    """The text, as its column holds it: one that is too long or can't be stored is told apart by its digest."""
    text = values.get(field)
    if not isinstance(text, str) or not text:
        raise MalformedRequestError(f"The body has no `{field}` that is a text, so it is no event.")
    longest = _LONGEST_NAME[field]
    if len(text) <= longest and not UNSTORABLE.search(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{UNSTORABLE.sub('', text)[: longest - len(digest) - 1]}~{digest}"


def _top_level_texts(text: str) -> dict[str, str] | None:
    """The texts of the outermost object by their names, read without going into it; None where it is no object."""
    depth = 0
    found: dict[str, str] = {}
    member: list[str] = []
    for match in _TOKEN.finditer(text):
        part = match[0]
        depth += (part in _OPENING) - (part in _CLOSING)
        if depth == 1 and not member and not found and part == "[":
            return None
        if depth == 1 and part in _BETWEEN:
            member = []
        elif depth == 1 and part not in _CLOSING:
            member.append(part)
            if len(member) == 3 and member[0][:1] == member[2][:1] == '"':  # noqa: PLR2004 - name, colon, text
                found[json.loads(member[0], strict=False)] = json.loads(member[2], strict=False)
    return found if depth == 0 else None
