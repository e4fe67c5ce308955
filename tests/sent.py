"""What this process sends to the database, as libpq itself tells it: Django's cursors and our own statements alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

from django.db import connection


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that goes over the wire meanwhile, however it is sent; libpq's own trace tells."""
    sent: list[str] = []
    connection.ensure_connection()
    with TemporaryFile("w+") as trace:
        connection.connection.pgconn.trace(trace.fileno())
        try:
            yield sent
        finally:
            connection.connection.pgconn.untrace()
        trace.seek(0)
        sent += [line for line in trace if line.split("\t")[1:4:2] in (["F", "Query"], ["F", "Execute"])]
