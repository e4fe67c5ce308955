"""What an upsert answers, and the values of a record that its audit entry keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model

from apps.core.errors import Reason
from apps.core.free_text import stored_form

RecordT = TypeVar("RecordT", bound=Model)


@dataclass(frozen=True, slots=True)
class Upserted(Generic[RecordT]):
    """The record as it is now; whether this call made it; whether it now says what the call said, and if not, why."""

    record: RecordT
    is_created: bool
    is_applied: bool = True
    explanation: tuple[Reason, ...] = ()


def values_of(record: Model, *fields: str) -> dict[str, Any]:
    """The named attributes, for the before and after of an audit entry."""
    return {field: getattr(record, field) for field in fields}


def change(record: Model, **wanted: object) -> list[str]:
    """Set the wanted values and save those that differ. Returns the names of the changed fields."""
    wanted = {field: stored_form(record, field, value) for field, value in wanted.items()}
    changed = [field for field, value in wanted.items() if getattr(record, field) != value]
    for field in changed:
        setattr(record, field, wanted[field])
    if changed:
        record.save(update_fields=changed)
    return changed
