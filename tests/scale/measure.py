"""What something costs in buffers (8 kB, hit or read), which are free of noise, and in statements (spec 11, Speed).

PostgreSQL counts the buffers of this connection, whatever sends the statements and whatever triggers and functions do;
those that planning reads are in it. Needs PostgreSQL 18, which the tests bring.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from django.db import connection, transaction

from apps.core import statements

_BUFFERS = """
    SELECT SUM(COALESCE(hits, 0) + COALESCE(read_bytes, 0) / current_setting('block_size')::int)
    FROM pg_stat_get_backend_io(pg_backend_pid()) WHERE object = 'relation'
"""


@dataclass
class Cost:
    """Of one page, call or run: its statements and buffers, and how many lines it answered."""

    statements: int = 0
    buffers: int = 0
    lines: int = 0
    sent: list[str] = field(default_factory=list, repr=False)


def _buffers() -> int:
    with connection.cursor() as cursor:
        # What the connection has counted is told at once, and not within a second.
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(_BUFFERS)
        return int(cursor.fetchone()[0])


@contextmanager
def costs() -> Iterator[Cost]:
    """Must begin and end outside any transaction: only then does PostgreSQL tell."""
    cost, send = Cost(), statements._fetch_all
    first, before = _buffers(), _buffers()

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        cost.sent.append(sql)
        return execute(sql, params, many, context)

    def note_prepared(statement: str, parameters: Any) -> Any:
        cost.sent.append(statement)
        return send(statement, parameters)

    with connection.execute_wrapper(note), patch.object(statements, "_fetch_all", note_prepared):
        yield cost
    cost.statements = len(cost.sent)
    # Asking costs some buffers too: as many as between the first two times.
    cost.buffers = _buffers() - before - (before - first)


def undone(call: Callable[[], object]) -> None:
    """Make the call, then undo what it changed."""
    undoing = transaction.atomic()
    # As a test's own transaction: services that insist on committing themselves take it for none.
    undoing._from_testcase = True  # type: ignore[attr-defined]
    with undoing:
        call()
        transaction.set_rollback(True)


def cost_of(call: Callable[[], int]) -> Cost:
    """What the call costs the second time, when what is made once is made. It returns how many lines it answered."""
    call()
    with costs() as cost:
        lines = call()
    cost.lines = lines
    return cost


def worst_of(call: Callable[[], object]) -> str:
    """Which reading statement of the call touches most buffers, explained by itself."""
    found: list[tuple[int, str]] = []
    is_explaining = False

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal is_explaining
        result = execute(sql, params, many, context)
        if is_explaining or not sql.lstrip().upper().startswith(("SELECT", "WITH", "(SELECT")) or "FOR UPDATE" in sql:
            return result
        is_explaining = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0]
        finally:
            is_explaining = False
        plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        found.append((plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], sql))
        return result

    with connection.execute_wrapper(explain):
        call()
    buffers, sql = max(found, default=(0, "no statement that only reads"))
    return f"{buffers:,}: {sql[:600]}"
