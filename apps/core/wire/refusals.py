"""Refusals that belong to HTTP itself, and the one that collects the fields of a request that can't be taken."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from rest_framework.exceptions import ErrorDetail, ValidationError

from apps.core.errors import (
    CountinghouseError,
    ErrorKind,
    FieldError,
    MalformedRequestError,
    UnprocessableError,
)

_LONGEST_ECHO = 100


class TooLargeError(CountinghouseError):
    """The body is larger than the view takes."""

    kind = ErrorKind.TOO_LARGE
    code = "too_large"
    title = "The body is too large"


class UnsupportedMediaTypeError(CountinghouseError):
    """The body is not JSON in UTF-8."""

    kind = ErrorKind.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"
    title = "The body is not JSON"


class FieldRefusedError(ValidationError):
    """Fields that can't be taken: `malformed` ones make the answer 400, `impossible` ones alone make it 422.

    A field raises it about itself with an empty path; serializers and lists put their own part of the path in front.
    """

    def __init__(self, *, malformed: Iterable[FieldError] = (), impossible: Iterable[FieldError] = ()) -> None:
        self.malformed = tuple(malformed)
        self.impossible = tuple(impossible)
        super().__init__([ErrorDetail(error.message, code=error.code) for error in self.errors])

    @property
    def errors(self) -> tuple[FieldError, ...]:
        """All of them, malformed ones first."""
        return (*self.malformed, *self.impossible)

    def below(self, part: str) -> FieldRefusedError:
        """The same, seen from one level up: `role` below `0` below `members` is `members.0.role`."""
        return FieldRefusedError(
            malformed=(_below(part, error) for error in self.malformed),
            impossible=(_below(part, error) for error in self.impossible),
        )

    def as_error(self) -> CountinghouseError:
        """The error that the service layer's own errors resemble; its sentence is the first field's."""
        first, more = self.errors[0], len(self.errors) - 1
        detail = f"{first.field}: {first.message}" if first.field else first.message
        if more:
            detail += f" ({more} more in `errors`.)"
        kind = MalformedRequestError if self.malformed else UnprocessableError
        return kind(detail, errors=self.errors)


def join_refusals(refusals: Iterable[FieldRefusedError]) -> FieldRefusedError | None:
    """All refusals as one; None where there is none."""
    found = list(refusals)
    if not found:
        return None
    return FieldRefusedError(
        malformed=[error for refusal in found for error in refusal.malformed],
        impossible=[error for refusal in found for error in refusal.impossible],
    )


def refusal_from(error: ValidationError) -> FieldRefusedError:
    """A foreign validator's error in our form; a `FieldRefusedError` is returned as it is."""
    if isinstance(error, FieldRefusedError):
        return error
    return FieldRefusedError(malformed=_flattened("", error.detail))


def unknown_name(name: str, known: Iterable[str], *, what: str = "field") -> FieldError:
    """The error about a name that we don't know, with the closest one that we do (spec 05, Strict wire models)."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    suggestion = close[0] if close else None
    shown = name[:_LONGEST_ECHO]
    message = f"unknown {what} `{shown}`" + (f"; did you mean `{suggestion}`?" if suggestion else "")
    return FieldError(field=shown, code=f"unknown_{what.replace(' ', '_')}", message=message, suggestion=suggestion)


def _below(part: str, error: FieldError) -> FieldError:
    path = f"{part}.{error.field}" if error.field else part
    return FieldError(field=path, code=error.code, message=error.message, suggestion=error.suggestion)


def _flattened(path: str, detail: object) -> list[FieldError]:
    """DRF's nested lists and dictionaries of details as a flat list with dotted paths."""
    if isinstance(detail, dict):
        pairs = [(f"{path}.{key}".lstrip("."), value) for key, value in detail.items()]
        return [error for below, value in pairs for error in _flattened(below, value)]
    if isinstance(detail, list):
        nested = any(isinstance(value, dict) for value in detail)
        pairs = [(f"{path}.{index}".lstrip(".") if nested else path, value) for index, value in enumerate(detail)]
        return [error for below, value in pairs for error in _flattened(below, value)]
    return [FieldError(field=path, code=str(getattr(detail, "code", "invalid")), message=str(detail))]
