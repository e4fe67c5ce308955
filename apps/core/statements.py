"""Sends the statements of the hot paths prepared, through psycopg's own libpq (spec 11, Speed).

Planning such a statement costs more than running it, and Django's cursor neither prepares nor comes without a health
check, which is a statement of its own. psycopg's cursor prepares, but costs a tenth of a consumption in the process,
and more where threads wait for the interpreter: it takes it up several times for each statement, libpq once.
Errors are Django's own all the same. A connection that broke while it lay idle is made anew once; every statement here
is safe to repeat, because it reads only or bears a key that is kept once: an idempotency key, an event's id.

A prepared statement is named by a hash of its text. Behind a pooler several processes share the server's connections,
so that a name given by a counter would mean one text here and another there. With a hash, a name that is there already
is this statement. One that is gone (the pooler changed connections, or discarded all) is prepared anew once; after
that the text is sent whole, which needs nothing of the server's memory. Inside a transaction an error of either kind
would abort the transaction, so there the text is always sent whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections
from psycopg import pq
from psycopg.errors import error_from_result

from apps.core.postgresql.base import BoundedConnection
from apps.core.postgresql.watchdog import WATCHDOG

# Which statements each connection has prepared.
_prepared: WeakKeyDictionary[BoundedConnection, set[str]] = WeakKeyDictionary()

_ALREADY_PREPARED = b"42P05"
_NOT_PREPARED = b"26000"
# After a migration: "cached plan must not change result type". Only the statement's whole text is planned anew.
_PLAN_IS_STALE = b"0A000"
_STALE_PLAN_FUNCTION = b"RevalidateCachedQuery"
_NAME_DIGITS = 32


def fetch_all(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    """The rows of a constant statement with parameters `$1`, `$2` …; all values go and come as PostgreSQL's text."""
    try:
        return _fetch_all(statement, parameters)
    except (OperationalError, InterfaceError):
        raw = connection.connection
        # A server that was silent for the whole limit would be waited for a second time; a commit that its standby has
        # not confirmed would be read as if it had.
        if connection.in_atomic_block or (raw is not None and (not raw.closed or raw.was_silent or raw.is_unconfirmed)):
            raise
        connection.close()
        return _fetch_all(statement, parameters)


@lru_cache(maxsize=256)
def prepared_name(statement: str) -> bytes:
    """The statement's name on every server: short enough that PostgreSQL does not cut it (63 bytes)."""
    return b"countinghouse_" + hashlib.sha256(statement.encode()).hexdigest()[:_NAME_DIGITS].encode()


def _fetch_all(statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    database = connections[DEFAULT_DB_ALIAS]  # looked up once: each use of `connection` looks it up
    database.ensure_connection()
    raw: BoundedConnection = database.connection
    # None is NULL here as in `exec_params`, whose declaration says so.
    values: list[Any] = [None if value is None else str(value).encode() for value in parameters]
    run = _run_prepared if raw.autocommit else _run_in_transaction
    with database.wrap_database_errors:
        if raw.longest_wait is None:
            result = run(raw, statement, values)
        else:
            with WATCHDOG.watch(raw, raw.longest_wait):
                result = run(raw, statement, values)
        if raw.is_unconfirmed:
            raw.refuse_unconfirmed()
    return [tuple(_text(result, row, column) for column in range(result.nfields)) for row in range(result.ntuples)]


def _run_prepared(raw: BoundedConnection, statement: str, values: list[Any]) -> pq.abc.PGresult:
    name = prepared_name(statement)
    known = _prepared.setdefault(raw, set())
    if statement not in known:
        _prepare(raw, statement)
        known.add(statement)
    result = raw.pgconn.exec_prepared(name, values)
    if _is_lost(result):  # it did not run
        _prepare(raw, statement)
        result = raw.pgconn.exec_prepared(name, values)
        if _is_lost(result):
            result = raw.pgconn.exec_params(statement.encode(), values)
    return _checked(raw, result)


def _run_in_transaction(raw: BoundedConnection, statement: str, values: list[Any]) -> pq.abc.PGresult:
    if raw.pgconn.transaction_status == pq.TransactionStatus.IDLE:
        # Within Django's `atomic` the first statement begins the transaction, as psycopg's cursors do it.
        _checked(raw, raw.pgconn.exec_(b"BEGIN"))
    return _checked(raw, raw.pgconn.exec_params(statement.encode(), values))


def _prepare(raw: BoundedConnection, statement: str) -> None:
    result = raw.pgconn.prepare(prepared_name(statement), statement.encode())
    if _state(result) != _ALREADY_PREPARED:
        _checked(raw, result)


def _is_lost(result: pq.abc.PGresult) -> bool:
    state = _state(result)
    if state == _PLAN_IS_STALE:
        return result.error_field(pq.DiagnosticField.SOURCE_FUNCTION) == _STALE_PLAN_FUNCTION
    return state == _NOT_PREPARED


def _state(result: pq.abc.PGresult) -> bytes | None:
    """The SQLSTATE of a result that is an error."""
    if result.status != pq.ExecStatus.FATAL_ERROR:
        return None
    return result.error_field(pq.DiagnosticField.SQLSTATE)


def _checked(raw: BoundedConnection, result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        return result
    if raw.closed:
        raise psycopg.OperationalError(raw.pgconn.get_error_message())
    raise error_from_result(result)


def _text(result: pq.abc.PGresult, row: int, column: int) -> str | None:
    value = result.get_value(row, column)
    return None if value is None else value.decode()
