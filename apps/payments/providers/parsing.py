"""Types for the values that providers send, and the error for a body that does not hold them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from apps.core.errors import FieldError, MalformedRequestError
from apps.core.moments import PROVIDER_YEARS, read_iso_moment, read_seconds

_BIGGEST = 2**62


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


Seconds = Annotated[AwareDatetime, BeforeValidator(_moment)]
IsoTime = Annotated[AwareDatetime, BeforeValidator(_iso_moment)]
ExternalId = Annotated[str, Field(min_length=1, max_length=255)]
Reference = Annotated[ExternalId, BeforeValidator(_id_or_object)]
Minor = Annotated[int, Field(ge=-_BIGGEST, le=_BIGGEST)]
Currency = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]
Metadata = dict[str, Any]

ModelT = TypeVar("ModelT", bound=ProviderModel)


def validate(model: type[ModelT], body: object, where: str = "") -> ModelT:
    """The part of the body; raises `MalformedRequestError` naming the first field that is not as it must be."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join([*([where] if where else []), *(str(part) for part in first["loc"])]) or "body"
        message = f"{field[:200]}: {first['msg']}"
        raise MalformedRequestError(
            f"This is not an event that we can read. {message}.",
            errors=[FieldError(field[:200], "malformed", first["msg"])],
        ) from error


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
    return value if isinstance(value, str) and len(value) <= longest else ""


def short(text: str | None, longest: int) -> str:
    """Text for a column that only shows it."""
    return (text or "")[:longest]


def later(*moments: datetime | None) -> datetime | None:
    """The latest of the moments that are known."""
    known = [moment for moment in moments if moment is not None]
    return max(known) if known else None
