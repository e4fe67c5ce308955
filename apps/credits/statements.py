"""The statements of the hot path, sent prepared and outside Django's cursor (spec 11, Speed).

Planning such a statement costs more than running it, and Django's cursor neither prepares nor comes without a health
check, which is a statement of its own. Errors are Django's own all the same. A connection that broke while it lay idle
is made anew once; every statement here is safe to repeat, because it reads only or bears an idempotency key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError, connection


def fetch_all(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """The rows of a constant statement with bound parameters."""
    try:
        return _fetch_all(statement, parameters)
    except (OperationalError, InterfaceError):
        raw = connection.connection
        if connection.in_atomic_block or (raw is not None and not raw.closed):
            raise
        connection.close()
        return _fetch_all(statement, parameters)


def _fetch_all(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    raw = connection.connection
    # Django switches preparing off. On for good, psycopg would keep the text of each of Django's own statements too,
    # with all their values, to count how often it comes again.
    raw.prepare_threshold = 0
    try:
        with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
            cursor.execute(statement, parameters, prepare=True)
            return cursor.fetchall()
    finally:
        raw.prepare_threshold = None
