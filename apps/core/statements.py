"""Sends the statements of the hot paths prepared, through psycopg's own libpq (spec 11, Speed).

Planning such a statement costs more than running it, and Django's cursor neither prepares nor comes without a health
check, which is a statement of its own. psycopg's cursor prepares, but costs a tenth of a consumption in the process,
and more where threads wait for the interpreter: it takes it up several times for each statement, libpq once.
Errors are Django's own all the same. A connection that broke while it lay idle is made anew once; every statement here
is safe to repeat, because it reads only or bears a key that is kept once: an idempotency key, an event's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections
from psycopg import pq
from psycopg.errors import error_from_result

# Which statements each connection has prepared, and their names there.
_prepared: WeakKeyDictionary[psycopg.Connection, dict[str, bytes]] = WeakKeyDictionary()


def fetch_all(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """The rows of a constant statement with parameters `$1`, `$2` …; all values go and come as PostgreSQL's text."""
    try:
        return _fetch_all(statement, parameters)
    except (OperationalError, InterfaceError):
        raw = connection.connection
        if connection.in_atomic_block or (raw is not None and not raw.closed):
            raise
        connection.close()
        return _fetch_all(statement, parameters)


def _fetch_all(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    database = connections[DEFAULT_DB_ALIAS]  # looked up once: each use of `connection` looks it up
    database.ensure_connection()
    raw: psycopg.Connection = database.connection
    values = [None if value is None else str(value).encode() for value in parameters]
    with database.wrap_database_errors:
        if not raw.autocommit and raw.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            # Within Django's `atomic` the first statement begins the transaction, as psycopg's cursors do it.
            _checked(raw, raw.pgconn.exec_(b"BEGIN"))
        names = _prepared.setdefault(raw, {})
        if (name := names.get(statement)) is None:
            name = f"countinghouse_{len(names)}".encode()
            _checked(raw, raw.pgconn.prepare(name, statement.encode()))
            names[statement] = name
        # None is NULL here as in `exec_params`, whose declaration says so.
        result = _checked(raw, raw.pgconn.exec_prepared(name, values))  # type: ignore[arg-type]
    return [tuple(_text(result, row, column) for column in range(result.nfields)) for row in range(result.ntuples)]


def _checked(raw: psycopg.Connection, result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        return result
    if raw.closed:
        raise psycopg.OperationalError(raw.pgconn.get_error_message())
    raise error_from_result(result)


def _text(result: pq.abc.PGresult, row: int, column: int) -> str | None:
    value = result.get_value(row, column)
    return None if value is None else value.decode()
