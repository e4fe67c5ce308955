"""The one canonical form of a value: what is hashed, by the audit chain and the idempotency store alike.

Pure. Two steps, so that what is stored and what is hashed can't differ:

* `plain(value)` turns what services hand over into what JSON can hold: UUIDs become their lower-case text; aware
  moments become UTC text with six digits and `Z`; dates their ISO text; decimals plain digits; sequences become lists.
* `canonical_bytes(value)` writes that as UTF-8 JSON: keys sorted by code point, no blanks, nothing escaped but what
  JSON demands, integers in full. Text is taken as it is, without Unicode normalisation.

A JSONB column gives back exactly what `plain` put in, so recomputing from the database yields the same bytes. Floats
are refused, as is anything else whose text form could differ from one reader to the next: naive moments, numbers that
are not finite, keys that are not text, and characters that PostgreSQL can't store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

_HINT = "hand over text, integers, booleans, UUIDs, aware datetimes, dates, decimals, lists or mappings"

PlainScalar = str | int | bool | None
Plain = PlainScalar | list["Plain"] | dict[str, "Plain"]


class NotCanonicalError(ValueError):
    """A value has no canonical form. A mistake in our code, never a caller's."""


def canonical_bytes(value: object) -> bytes:
    """The canonical JSON of `value`, as UTF-8."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def canonical_hash(value: object) -> str:
    """SHA-256 of the canonical form, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def plain(value: object, where: str = "value") -> Plain:
    """`value` with nothing left but what JSON can hold; raises `NotCanonicalError` naming the place that can't."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {_key(key, where): plain(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, f"{where}[{position}]") for position, inner in enumerate(value)]
    return _text_form(value, where)


def moment_text(moment: datetime) -> str:
    """An aware moment in UTC with microseconds, such as `2026-04-03T10:00:00.000000Z`."""
    if moment.utcoffset() is None:
        raise NotCanonicalError(f"{moment!r} has no time zone, so it names no moment.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _text_form(value: object, where: str) -> str:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return moment_text(value)
        case date():
            return value.isoformat()
        case Decimal() if value.is_finite():
            return _decimal_text(value)
    raise NotCanonicalError(f"{where} is a {type(value).__name__} ({value!r}): {_HINT}.")


def _decimal_text(value: Decimal) -> str:
    """Plain digits without trailing zeros: equal decimals have equal text."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise NotCanonicalError(f"{where} has the key {key!r}; keys are text.")
    return _text(key, where)


def _text(text: str, where: str) -> str:
    plain_text = str.__str__(text)  # an enumeration's member is its value
    if "\x00" in plain_text or not _is_unicode(plain_text):
        raise NotCanonicalError(f"{where} contains a character that can't be stored: NUL or half of a surrogate pair.")
    return plain_text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
