"""Reads many rows in pieces, as a pooler in transaction mode allows it (spec 14, Topology).

Django's `iterator()` keeps a cursor on the server. Behind such a pooler the next fetch may reach another server
connection, where that cursor does not exist, so that such cursors are switched off; `iterator()` would then hold the
whole result in memory. `in_pieces` reads on behind the last key, and needs neither a session nor an open transaction.
`in_one_transaction` uses a cursor within a transaction, where the pooler keeps the server connection: for a result that
no index delivers in its order, and a reader that does not wait for anybody meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import Model, Q, QuerySet

from apps.core.postgresql.base import BoundedConnection

Row = TypeVar("Row", bound=Model)


def in_pieces(rows: QuerySet[Row], *, key: Sequence[str] = ("pk",), size: int = 2_000) -> Iterator[Row]:
    """Every row in the order of `key`: names of fields that together are unique and never null, `-` for descending.

    A row that is written meanwhile is seen when it lies behind the piece that was read last. What is done with a row
    may take it out of the query.
    """
    ordered = rows.order_by(*key)
    piece = list(ordered[:size])
    while piece:
        last = piece[-1]
        yield from piece
        if len(piece) < size:
            return
        piece = list(ordered.filter(_behind(last, key))[:size])


def in_one_transaction(rows: QuerySet[Any, Any], *, size: int) -> Iterator[tuple[Any, ...]]:
    """The rows of a `values_list`, fetched in pieces within one transaction, as of its one statement."""
    yield from statement_in_pieces(*rows.query.sql_with_params(), size=size)


def statement_in_pieces(
    statement: str, parameters: Sequence[Any] | None = None, *, size: int, longest: timedelta | None = None
) -> Iterator[tuple[Any, ...]]:
    """The same for a statement in SQL, which may take `longest` where the usual limit is too short for it."""
    with transaction.atomic(), connection.cursor() as cursor, _allowed(longest):
        # PostgreSQL plans a cursor for its first tenth, by default; here all of it is read.
        cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
        cursor.execute(f"DECLARE in_one_transaction NO SCROLL CURSOR FOR {statement}", parameters)
        cursor.execute(f"FETCH {int(size)} FROM in_one_transaction")
        while piece := cursor.fetchall():
            yield from piece
            cursor.execute(f"FETCH {int(size)} FROM in_one_transaction")
        cursor.execute("CLOSE in_one_transaction")


@contextmanager
def in_one_snapshot() -> Iterator[None]:
    """All that is read within is as of one moment, whatever is committed meanwhile; nothing can be written.

    A transaction of its own: inside another one, which has read already, the server refuses it.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


@contextmanager
def _allowed(longest: timedelta | None) -> Iterator[None]:
    """Within a transaction: another limit for a statement, on the server and for the wait here."""
    if longest is None:
        yield
        return
    raw: BoundedConnection = connection.connection
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {longest // timedelta(milliseconds=1)}")
    before, raw.longest_wait = raw.longest_wait, longest.total_seconds()
    try:
        yield
    finally:
        raw.longest_wait = before


def _behind(last: Model, key: Sequence[str]) -> Q:
    """(a, b) behind (x, y): a behind x, or a = x and b behind y; and a not before x, which an index can use."""
    first, same = _compared(last, key[0], or_equal=True), Q()
    behind = Q()
    for name in key:
        behind |= same & _compared(last, name)
        same &= Q(**{name.lstrip("-"): getattr(last, name.lstrip("-"))})
    return first & behind


def _compared(last: Model, name: str, *, or_equal: bool = False) -> Q:
    field, relation = name.lstrip("-"), "lt" if name.startswith("-") else "gt"
    return Q(**{f"{field}__{relation}{'e' if or_equal else ''}": getattr(last, field)})
