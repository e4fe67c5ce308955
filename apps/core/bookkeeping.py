"""Writes that a call makes by the way and that a crash may lose: when a token was last used, what was counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def bookkeeping() -> Iterator[None]:
    """A transaction of its own, whose commit waits for neither disk nor standby.

    Else a call that only reads would be answered 503 after a failover, until the standby is back. Inside another
    transaction it is a part of that, and is committed as that has to be.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        yield
