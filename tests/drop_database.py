"""Drop a database in which sessions of ours may still be open."""

from __future__ import annotations

from typing import Any


def drop_database(cursor: Any, name: str) -> None:
    """End our own sessions in the database `name`, then drop it if it exists.

    `WITH (FORCE)` would also try to end a worker of autovacuum, which only a superuser may do: it fails whenever one is
    at work there. A plain DROP asks that worker to stop, and waits for it.
    """
    cursor.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = %s AND usename = current_user AND pid <> pg_backend_pid()",
        [name],
    )
    cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
