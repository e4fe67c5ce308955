"""Many rows like one: its values, and what differs from row to row as SQL; in the server, which is as quick as COPY."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import Model

from apps.core.postgresql.base import BoundedConnection
from tests.sizes import IS_FULL

_ARE_MILLIONS = IS_FULL or "COUNTINGHOUSE_SCALE" in os.environ
_HOUR_SECONDS = 3_600.0
# Those that hold no constraint.
_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = ANY (SELECT unnest(%s::text[])::regclass) AND NOT indisunique
"""


def row_id(kind: str, number: str = "n") -> str:
    """SQL: the id of the row with this number."""
    return f"md5('{kind}-' || ({number}))::uuid"


def at(share: str) -> str:
    """SQL: a moment of the last 400 days, later for a greater share between 0 and 1."""
    return f"now() - interval '400 days' * (1 - ({share}))"


def multiply(template: Model, source: str, order: str = "", **values: str) -> None:
    """Insert a row like the template for each row of `source`, with `values` in SQL; generated columns are left out."""
    meta = type(template)._meta
    columns = [field.column for field in meta.local_concrete_fields if not field.generated]
    if meta.pk.get_internal_type() == "BigAutoField":
        columns.remove(meta.pk.column)
    chosen = ", ".join(values.get(column, f't."{column}"') for column in columns)
    chosen = chosen.replace("%", "%%")
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {meta.db_table} ({names}) SELECT {chosen} FROM {source}, "
            f"(SELECT * FROM {meta.db_table} WHERE {meta.pk.column} = %s) t {order}",
            [template.pk],
        )


@contextmanager
def _unhurried() -> Iterator[None]:
    """Wait for the server as long as millions of rows take, on whatever machine."""
    raw: BoundedConnection = connection.connection
    before, raw.longest_wait = raw.longest_wait, _HOUR_SECONDS
    try:
        yield
    finally:
        raw.longest_wait = before


@contextmanager
def filling(*tables: type[Model]) -> Iterator[None]:
    """A transaction in which nothing is checked row by row, and the indexes of these tables are made at its end."""
    with transaction.atomic(), connection.cursor() as cursor, _unhurried():
        # What services and triggers would do row by row is done here at once, or does not matter to lists.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        # Only for millions of rows: an index that is made again spells its condition differently, which the test of the
        # schema would find in a database that it shares.
        cursor.execute(_INDEXES, [[model._meta.db_table for model in tables] if _ARE_MILLIONS else []])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        for _, definition in indexes:
            cursor.execute(definition)


def numbers(count: int, organizations: int) -> str:
    """SQL: the rows 1 to `count`, each with the number of organizations and the total."""
    return f"(SELECT n, {organizations} AS orgs, {count} AS total FROM generate_series(1, {count}) n) s"
