"""Compare the before and after of an audit entry field by field. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "none"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an audit entry; `is_changed` is false if both sides are equal."""

    field: str
    before: str
    after: str
    is_changed: bool


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Return the fields of both sides, those of `after` first; nested fields are named `outer.inner`.

    Rows of a list are numbered: `prices.1.operation`.
    """
    old, new = _flat(before), _flat(after)
    fields = [*new, *(field for field in old if field not in new)]
    return [_change(field, old, new) for field in fields]


def _change(field: str, old: dict[str, Any], new: dict[str, Any]) -> FieldChange:
    before = _text(old[field]) if field in old else ABSENT
    after = _text(new[field]) if field in new else ABSENT
    return FieldChange(
        field, before, after, is_changed=field not in old or field not in new or old[field] != new[field]
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and all(isinstance(inner, Mapping) for inner in value):
            for place, inner in enumerate(value, 1):
                flat |= _flat(inner, f"{prefix}{name}.{place}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _text(value: Any) -> str:
    match value:
        case None | "":
            return ABSENT
        case bool():
            return "yes" if value else "no"
        case list() if all(isinstance(item, str) for item in value):
            return ", ".join(value) or ABSENT
        case str():
            return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
