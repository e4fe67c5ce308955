"""HTTP calls of the providers, and what each error means for the sync (spec 06, Sync run).

401 and 403: the credential is refused, stop at once. 429 and 5xx: retry, not before Retry-After. Any other error is
permanent, and so is an answer that does not validate.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from apps.connectors.contracts import ProviderError
from apps.core.amounts import divide_half_away, minor_digits
from apps.core.outgoing import Answer, Call, OutgoingError, RefusedAddressError, outgoing_call

ModelT = TypeVar("ModelT", bound=BaseModel)

_OK, _NOT_FOUND = 200, 404
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
    body = fetch(label, call).body
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise ProviderError(f"{label} sent an answer that is not JSON.", is_permanent=True) from None


def parse(label: str, form: type[ModelT], value: Any) -> ModelT:
    """Validate the value; raises `ProviderError` that names the field and holds no value."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise ProviderError(f"{label}: {where}: {first['msg']}.", is_permanent=True) from None


def minor_units(amount: Decimal, currency: str) -> int:
    """The amount in minor units; what is beyond them is rounded once, half away from zero."""
    numerator, denominator = amount.as_integer_ratio()
    return divide_half_away(numerator * 10 ** minor_digits(currency.upper()), denominator)


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
