"""Triggers that keep a table append-only, whoever writes to it and by whatever means."""

from __future__ import annotations

import pgtrigger


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
