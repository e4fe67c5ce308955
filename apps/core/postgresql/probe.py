"""Tries whether prepared statements survive on the way to the server, whatever stands there (spec 14, Topology).

A pooler in transaction mode that does not know them (PgBouncer before 1.21, or with max_prepared_statements = 0) hands
a statement to a server connection that never saw it, or that has another one under its name. The version tells little,
so the behaviour is tried: several connections prepare different texts under one name, each is committed, and each is
run again and again in transactions of its own. A direct server and a pooler that tracks names answer each as it was
asked.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import pq
from psycopg.errors import error_from_result

from apps.core.postgresql.base import BoundedConnection
from apps.core.postgresql.watchdog import WATCHDOG

logger = logging.getLogger(__name__)

_CONNECTIONS = 4
_ROUNDS = 3
_SECONDS = 10
# SQLSTATE: there already; not there.
_LOST = (b"42P05", b"26000")
_REMEDY = (
    "DATABASE_URL leads through a pooler that loses prepared statements. Use PgBouncer 1.21 or newer with "
    "max_prepared_statements above 0 (200, for example), another pooler that keeps them, or the server itself."
)

Connect = Callable[[], BoundedConnection]


class ForgetfulPoolerError(ImproperlyConfigured):
    """Prepared statements are lost or exchanged between this process and the server."""

    def __init__(self) -> None:
        super().__init__(_REMEDY)


def refuse_forgetful_pooler() -> None:
    """Raise `ForgetfulPoolerError` at the start of a process. A database that is away is waited for, not refused."""
    try:
        find_forgetful_pooler(connect_as_django)
    except psycopg.Error as error:
        logger.warning("database_not_tried", extra={"cause": in_one_line(error)})


def connect_as_django() -> BoundedConnection:
    """A connection of its own, made as Django makes them."""
    wrapper: Any = connections[DEFAULT_DB_ALIAS]
    raw: BoundedConnection = wrapper.get_new_connection(wrapper.get_connection_params())
    raw.autocommit = True
    return raw


def in_one_line(error: Exception) -> str:
    """What libpq says, without its line breaks. It names hosts and users, never a password."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip()).rstrip(".")


def find_forgetful_pooler(connect: Connect) -> None:
    """Raise `ForgetfulPoolerError` if prepared statements get lost; psycopg's own errors if nothing answers."""
    name = f"countinghouse_probe_{secrets.token_hex(8)}".encode()
    with ExitStack() as closing:
        opened = [closing.enter_context(contextlib.closing(connect())) for _ in range(_CONNECTIONS)]
        for place, connection in enumerate(opened):
            with WATCHDOG.watch(connection, _SECONDS):
                _checked(connection, connection.pgconn.prepare(name, b"SELECT " + str(place).encode()))
        for number in range(_ROUNDS):
            # Forwards and backwards: a pool gives out the connection that was used last, or first.
            for place in _order(number):
                with WATCHDOG.watch(opened[place], _SECONDS):
                    _run(opened[place], name, place)


def _order(number: int) -> Sequence[int]:
    return range(_CONNECTIONS) if number % 2 == 0 else range(_CONNECTIONS - 1, -1, -1)


def _run(connection: BoundedConnection, name: bytes, place: int) -> None:
    pgconn = connection.pgconn
    _checked(connection, pgconn.exec_(b"BEGIN"))
    result = _checked(connection, pgconn.exec_prepared(name, None))
    said = result.get_value(0, 0)
    _checked(connection, pgconn.exec_(b"COMMIT"))
    if said != str(place).encode():
        raise ForgetfulPoolerError


def _checked(connection: BoundedConnection, result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        return result
    if result.error_field(pq.DiagnosticField.SQLSTATE) in _LOST:
        raise ForgetfulPoolerError
    if connection.closed:
        raise psycopg.OperationalError(connection.pgconn.get_error_message())
    raise error_from_result(result)
