"""HTTP calls of the providers, and what each error means for the sync (spec 06, Sync run).

401 and 403: the credential is refused, stop at once. 429 and 5xx: retry, not before Retry-After. Any other error is
permanent, and so is an answer that does not validate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from apps.connectors.contracts import ProviderError
from apps.core.depths import is_too_deep
from apps.core.errors import FieldError
from apps.core.outgoing import Answer, Call, OutgoingError, RefusedAddressError, outgoing_call

ModelT = TypeVar("ModelT", bound=BaseModel)

_OK = 200
UNREADABLE = "answer_unreadable"
_REFUSED = frozenset({401, 403})


def fetch(label: str, call: Call) -> Answer:
    """The successful answer; raises `ProviderError` for any other. `label` names the provider in the error."""
    try:
        answer = outgoing_call(call)
    except RefusedAddressError as error:
        raise ProviderError(f"{label}: {error}", is_permanent=True) from None
    except OutgoingError as error:
        raise ProviderError(f"{label}: {error.sentence}", is_permanent=error.is_permanent) from None
    if answer.status == _OK:
        return answer
    if answer.status in _REFUSED:
        raise ProviderError(f"{label} refused the credential ({answer.status}).", is_credential_invalid=True)
    if answer.is_worth_repeating:
        raise ProviderError(f"{label} answered {answer.status}; try again later.", retry_after=answer.retry_after)
    raise ProviderError(f"{label} answered {answer.status}.", is_permanent=True, status=answer.status)


def fetch_json(label: str, call: Call) -> Any:
    """The JSON of the answer; numbers with a point become `Decimal`. Raises `ProviderError`."""
    return read_json(label, fetch(label, call).body)


def read_json(label: str, body: bytes) -> Any:
    """The JSON of a body; numbers with a point become `Decimal`. Raises `ProviderError`."""
    try:
        found = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        begin = body.lstrip()[:1]
        kind = "is empty" if not begin else "is a web page or XML, not JSON" if begin == b"<" else "is not JSON"
        raise ProviderError(f"{label} sent an answer that {kind}.", is_permanent=True, code=UNREADABLE) from None
    if is_too_deep(found):
        raise ProviderError(f"{label} sent an answer that is nested too deep.", is_permanent=True, code=UNREADABLE)
    return found


def parse(label: str, form: type[ModelT], value: Any) -> ModelT:
    """Validate the value; raises `ProviderError` that names the field and holds no value."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        first = describe_problems(error, form)[0]
        raise ProviderError(f"{label}: {first.field or 'the answer'} {first.message}.", is_permanent=True) from None


def describe_problems(error: ValidationError, form: type[BaseModel]) -> list[FieldError]:
    """What is wrong with each field, in words for people; an unknown field has the nearest name as its suggestion."""
    return [_describe_problem(problem, list(form.model_fields)) for problem in error.errors(include_input=False)]


def _describe_problem(problem: Mapping[str, Any], known: Sequence[str]) -> FieldError:
    kind, told, where = problem["type"], problem.get("ctx", {}), ".".join(map(str, problem["loc"]))
    if kind == "extra_forbidden":
        near = get_close_matches(str(problem["loc"][-1]), known, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}" if known else ""
        return FieldError(where, "unknown_field", f"is not known{hint}".rstrip("?"), near[0] if near else None)
    if kind == "missing":
        return FieldError(where, "required", "is missing")
    words = str(told["error"]) if kind == "value_error" else _WORDS.get(kind, "can't be read").format(**told)
    return FieldError(where, "impossible_value", words)


# By pydantic's names of what is wrong.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "string_type": "must be text",
        "int_type": "must be a whole number",
        "int_from_float": "must be a whole number",
        "bool_type": "must be true or false",
        "list_type": "must be a list",
        "dict_type": "must be an object",
        "model_type": "must be an object",
        "literal_error": "must be one of {expected}",
        "string_too_short": "must have at least {min_length} characters",
        "string_too_long": "must have at most {max_length} characters",
        "too_long": "must have at most {max_length} items",
        "greater_than_equal": "must be at least {ge}",
        "less_than_equal": "must be at most {le}",
        "decimal_max_digits": "must have at most {max_digits} digits",
        "decimal_max_places": "must have at most {decimal_places} places",
        "datetime_type": 'must be a time with an offset, such as "2026-04-03T09:30:00Z"',
        "timezone_aware": 'must be a time with an offset, such as "2026-04-03T09:30:00Z"',
        "string_pattern_mismatch": "does not have the right form",
    }
)


def to_json_values(value: Any) -> Any:
    """The value with decimals as text, as JSON can hold it."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            return {name: to_json_values(inner) for name, inner in value.items()}
        case list():
            return [to_json_values(inner) for inner in value]
    return value
