"""Triggers that keep a table append-only, whoever writes to it and by whatever means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pgtrigger
from django.db import connection
from django.db.models import Model


def append_only(name: str) -> list[pgtrigger.Trigger]:
    """Refuse to update, delete or truncate. `name` is the record's; each trigger's name starts with it."""
    return [
        pgtrigger.Protect(name=f"{name}_is_not_updated", operation=pgtrigger.Update),
        pgtrigger.Protect(name=f"{name}_is_not_deleted", operation=pgtrigger.Delete),
        refuse_truncate(f"{name}_is_not_truncated"),
    ]


def refuse_truncate(name: str) -> pgtrigger.Trigger:
    """Refuse to truncate. PostgreSQL fires such a trigger once a statement, never once a row."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'pgtrigger: Cannot truncate % table', TG_TABLE_NAME;",
    )


@contextmanager
def updates_let_through(model: type[Model]) -> Iterator[None]:
    """Let this transaction update rows of a protected table: for the erasure of personal data, and nothing else.

    Raises `RuntimeError` outside a transaction, where the permission would be gone at once.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("updates_let_through outside a transaction lets nothing through.")
    triggers = getattr(model._meta, "triggers", ())
    names = [trigger.get_pgid(cast("Any", model)) for trigger in triggers if isinstance(trigger, pgtrigger.Protect)]
    with connection.cursor() as cursor:
        # What `pgtrigger.ignore` sets. That puts it in front of each statement, where the server takes one at a time.
        cursor.execute("SELECT set_config('pgtrigger.ignore', %s, true)", [f"{{{','.join(names)}}}"])
        try:
            yield
        finally:
            if not connection.needs_rollback and connection.is_usable():
                cursor.execute("SELECT set_config('pgtrigger.ignore', '{}', true)")
