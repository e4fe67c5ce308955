"""Every text of the database that may name a person: found by the models themselves, so that none is forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import (
    BinaryField,
    CharField,
    Field,
    Func,
    JSONField,
    Model,
    Q,
    QuerySet,
    SlugField,
    TextField,
    Value,
)
from django.db.models.functions import Cast

from apps.backoffice.leaving.mentions import Mentions, redact
from apps.core.models import AuditEntry
from apps.core.models.protection import updates_let_through
from apps.core.pieces import in_one_transaction
from apps.credits.models import CreditEntry
from apps.payments.models import WebhookEvent
from apps.tenants.models import User

AT_ONCE = 500
_READ_AT_ONCE = 2_000
# Ids and keys of others: "identifiers stay", and a call is repeated by them.
_IDENTIFIERS = frozenset(
    {
        "slug",
        "key",
        "scope",
        "event_id",
        "run_id",
        "cursor",
        "export_cursor",
        "external_ref",
        "subject",
        "slot",
        "sheet",
    }
    | {"digest", "code", "prefix", "selector", "number", "value", "plan_key", "plan_hint", "after", "marker", "columns"}
)
_ENDS_OF_IDENTIFIERS = ("_id", "_key", "_hash", "_digest", "_code")
# Words of products, providers and ours, of which a program knows what they mean.
_WORDS = frozenset(
    {
        "operation",
        "unit",
        "billable_outcomes",
        "other_outcomes",
        "outcome",
        "category",
        "kind",
        "type",
        "status",
        "verb",
    }
    | {"state", "claimed_state", "pgh_label", "billing_mode", "local_decision", "central_decision", "scopes", "brand"}
    | {"auto_disable_causes", "auto_disable_reason", "payment_status", "subscription_status", "usage_category_override"}
    | {"interval", "credit_cadence", "managed_by", "provider", "collection_method", "billing_reason", "pause_behavior"}
    | {"zone", "time_zone", "month", "asked_month", "currency", "currency_before", "currency_after", "last4", "field"}
    | {"quantity", "quantity_before", "quantity_after", "amount", "amount_minor", "last_four", "problem"}
)
_TABLES_OF_DJANGO = frozenset({"auth", "contenttypes"})
# Erased by ways of their own: the chain and the seals must hold. A session is ended as a whole.
OWN_WAYS: frozenset[type[Model]] = frozenset({AuditEntry, CreditEntry, User, Session})


@dataclass(frozen=True, slots=True)
class Table:
    """A table with columns of free text."""

    model: type[Model]
    fields: tuple[Field[Any, Any], ...]

    def rows_naming(self, mentions: Mentions) -> QuerySet[Any]:
        """Rows with one of the words that are sought in one of the columns; some may turn out to name somebody else."""
        texts = {f"text_{field.attname}": _as_text(field) for field in self.fields}
        found = Q()
        for name in texts:
            for word in mentions.sought:
                found |= Q(**{f"{name}__icontains": word})
        rows: QuerySet[Any] = QuerySet(self.model).alias(**texts).filter(found)
        return rows

    @property
    def name(self) -> str:
        return self.model._meta.label

    def erase(self, mentions: Mentions, *, is_preview: bool = False) -> int:
        """Write each row that names the person without it, some in a transaction; how many there are."""
        erased = 0
        for portion in portions(self.rows_naming(mentions)):
            rows: QuerySet[Any] = QuerySet(self.model).filter(pk__in=portion)
            if is_preview:
                erased += sum(bool(self._without(row, mentions)) for row in rows)
                continue
            with transaction.atomic(), updates_let_through(self.model):
                for row in rows.select_for_update(of=("self",)):
                    changed = self._without(row, mentions)
                    if changed:
                        QuerySet(self.model).filter(pk=row.pk).update(**changed)
                        erased += 1
        return erased

    def _without(self, row: Model, mentions: Mentions) -> dict[str, Any]:
        """The columns that name the person, as they are without."""
        values = {field: getattr(row, field.attname) for field in self.fields}
        kept = {field: without(field, value, mentions.without) for field, value in values.items()}
        return {field.attname: value for field, value in kept.items() if value != values[field]}


def tables() -> list[Table]:
    """Every table with columns of text that are neither of a fixed set of words nor identifiers."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        is_searched = model not in OWN_WAYS and model._meta.app_label not in _TABLES_OF_DJANGO
        if model._meta.managed and not model._meta.proxy and is_searched:
            fields = tuple(field for field in model._meta.concrete_fields if _may_name(model, field))
            if fields:
                found.append(Table(model, fields))
    return found


def table_of(model: type[Model], *names: str) -> Table:
    """The table with these columns."""
    return Table(model, tuple(field for field in model._meta.concrete_fields if field.name in names))


def portions(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """The keys of the rows, some at a time. All are read first: what is erased meanwhile is no row of the query."""
    keys = [key for (key,) in in_one_transaction(rows.order_by().values_list("pk"), size=_READ_AT_ONCE)]
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]


def without(field: Field[Any, Any], value: Any, without_mentions: Callable[[str], str]) -> Any:
    """The column's value without the mentions, no longer than the column takes."""
    if value is None:
        return None
    if isinstance(value, bytes | memoryview):
        return _body_without(bytes(value), without_mentions)
    kept = redact(value, without_mentions)
    return kept[: field.max_length] if isinstance(kept, str) and field.max_length else kept


def _may_name(model: type[Model], field: Field[Any, Any]) -> bool:
    if isinstance(field, BinaryField):
        return model is WebhookEvent
    if field.primary_key or field.choices or isinstance(field, SlugField):
        return False
    if field.name in _IDENTIFIERS | _WORDS or field.name.endswith(_ENDS_OF_IDENTIFIERS):
        return False
    inner = field.base_field if isinstance(field, ArrayField) else field
    return isinstance(inner, CharField | TextField | JSONField)


def _as_text(field: Field[Any, Any]) -> Any:
    if isinstance(field, BinaryField):
        return Func(field.attname, Value("escape"), function="encode", output_field=TextField())
    return Cast(field.attname, TextField())


def _body_without(body: bytes, without_mentions: Callable[[str], str]) -> bytes:
    """What a provider sent: JSON, else text. Its signature was checked when it came."""
    try:
        document = json.loads(body)
    except ValueError:
        return without_mentions(body.decode("latin-1")).encode("latin-1")
    kept = redact(document, without_mentions)
    return body if kept == document else json.dumps(kept, ensure_ascii=False).encode()
