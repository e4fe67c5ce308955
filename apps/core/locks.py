"""Locks on names, held until the transaction ends, so that a killed holder frees them at once."""

from __future__ import annotations

import hashlib

from django.db import connection, transaction


def lock_name(name: str) -> None:
    """Wait for, and take, the lock on `name`. Must run inside a transaction, which releases it."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError(f"lock_name({name!r}) outside a transaction would be released at once.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock_number(name)])


def lock_number(name: str) -> int:
    """The 64-bit signed number that stands for the name in PostgreSQL's advisory locks."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
