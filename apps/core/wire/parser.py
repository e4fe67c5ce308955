"""The strict JSON parser: what two readers could understand differently is refused (spec 11, Facts measured).

Refused with 400 and the place: duplicate keys, NaN and Infinity, numbers that overflow, nesting deeper than `DEEPEST`,
bytes that are not UTF-8, lone surrogates and NUL characters in strings, and anything but an object at the top. A body
over the view's `body_limit` is refused with 413 before it is parsed, another content type with 415.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import IO, Any, NoReturn

from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from apps.core.errors import FieldError, MalformedRequestError
from apps.core.texts import UNSTORABLE
from apps.core.wire.refusals import TooLargeError, UnsupportedMediaTypeError

DEEPEST = 20
DEFAULT_BODY_LIMIT = 1024 * 1024
_LONGEST_ECHO = 100
_CONTAINERS = (dict, list)


class StrictJSONParser(BaseParser):
    """DRF's door to `parse_object`; the view may raise the limit with its attribute `body_limit` (bytes)."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        _, parameters = parse_header_parameters(media_type or "")
        if parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaTypeError("Send the body as application/json in UTF-8.")
        view = (parser_context or {}).get("view")
        limit = int(getattr(view, "body_limit", DEFAULT_BODY_LIMIT))
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLargeError(f"The body is over {limit} bytes. Send it in several requests.")
        return parse_object(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that the bytes spell, or `MalformedRequestError` saying where and why not."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The body is not UTF-8: byte {error.start} can't be read.") from error
    if not text.strip():
        raise MalformedRequestError("The body is empty. Send a JSON object.")
    value = _parsed(text)
    if not isinstance(value, dict):
        raise MalformedRequestError("The body is not a JSON object.")
    # Only an escape can spell a character that UTF-8 can't carry or a NUL, so most bodies need no second look.
    _check_tree(value, look_into_strings="\\u" in text)
    return value


def _parsed(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_bounded_int,
        )
    except json.JSONDecodeError as error:
        raise MalformedRequestError(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise _too_deep() from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        _refuse(twice, "duplicate_key", f"the key `{_echo(twice)}` stands twice in one object; send it once.")
    return value


def _refuse_constant(token: str) -> NoReturn:
    raise MalformedRequestError(f"The body is not JSON: {token} is not a JSON number.")


def _bounded_int(token: str) -> int:
    if len(token) > _LONGEST_ECHO:
        raise MalformedRequestError(f"The number {_echo(token)}… is too large.")
    return int(token)


def _check_tree(root: dict[str, Any], *, look_into_strings: bool) -> None:
    """Walk the value without recursion: how deep it is, and whether its strings can be stored."""
    level: list[Any] = [root]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for container in level:
            for name, member in _members(container):
                if look_into_strings or isinstance(member, float):
                    _check_member(name, member, look_into_strings=look_into_strings)
                if isinstance(member, _CONTAINERS):
                    below.append(member)
        if not below:
            return
        level = below
    raise _too_deep()


def _members(container: Any) -> Iterable[tuple[str, Any]]:
    return container.items() if isinstance(container, dict) else ((str(i), value) for i, value in enumerate(container))


def _check_member(name: str, member: Any, *, look_into_strings: bool) -> None:
    if isinstance(member, float) and not math.isfinite(member):
        _refuse(name, "out_of_range", "the number is too large.")
    if look_into_strings and (UNSTORABLE.search(name) or (isinstance(member, str) and UNSTORABLE.search(member))):
        _refuse(name, "invalid_text", "text may not hold a NUL character or half of a surrogate pair.")


def _refuse(field: str, code: str, message: str) -> NoReturn:
    name = _echo(field)
    raise MalformedRequestError(f"{name}: {message}", errors=[FieldError(field=name, code=code, message=message)])


def _too_deep() -> MalformedRequestError:
    return MalformedRequestError(f"The body is nested deeper than {DEEPEST} levels.")


def _echo(text: str) -> str:
    """The caller's own text, short and printable."""
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:_LONGEST_ECHO])
