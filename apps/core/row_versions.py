"""Every version of a row, kept by a database trigger, also for a raw update (spec 03; spec 12, django-pghistory).

`kept_row_versions` is the class decorator: it adds an append-only version table beside the record's. The version
carries who, why and under which request where a service has said so with `row_versions_attribute`; a raw update
elsewhere leaves those empty.

pghistory's own `pghistory.context` is not used: it puts `SELECT set_config(…);` in front of each statement, and two
statements in one are refused under `server_side_binding`. The trigger only reads the setting
`pghistory.context_metadata`, so one explicit statement a transaction does the same, with bound parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import pghistory
from django.db import connection
from django.db.models import Model

from apps.core.audit.secrecy import redact_text
from apps.core.context import ExecutionContext

ModelT = TypeVar("ModelT", bound=type[Model])


def kept_row_versions(model_name: str | None = None, *, without: Sequence[str] = ()) -> Callable[[ModelT], ModelT]:
    """Keep each inserted, updated and deleted row of the model; put it above the class.

    An update of the fields `without` alone keeps none: a clock that a machine moves tells a person nothing.

    The versions' own model is named after the record, with `Event` behind it, unless `model_name` says otherwise.
    """
    condition = pghistory.AnyChange(exclude=[*without]) if without else pghistory.AnyChange()
    track: Callable[[ModelT], ModelT] = pghistory.track(
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(condition=condition),
        pghistory.DeleteEvent(),
        context_field=pghistory.ContextJSONField(),
        context_id_field=None,  # type: ignore[arg-type]  # documented as allowed; the metadata hold the request id
        append_only=True,
        model_name=model_name,
    )
    return track


def row_versions_attribute(context: ExecutionContext, *, reason: str = "") -> None:
    """Sign every row version of the rest of this transaction with the actor, the reason and the request id.

    Raises `RuntimeError` outside a transaction, where the signature would be gone at once.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("row_versions_attribute outside a transaction signs nothing.")
    signature = {
        "actor_kind": context.actor.kind.value,
        "actor_id": context.actor.id,
        "actor_label": context.actor.label,
        "reason": redact_text(reason),
        "request_id": context.request_id,
    }
    with connection.cursor() as cursor:
        # Local to the transaction: the next one on this connection starts unsigned.
        cursor.execute("SELECT set_config('pghistory.context_metadata', %s, true)", [json.dumps(signature)])
