"""Nothing relies on the session of one server connection, which a pooler changes (spec 14, Topology)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

from tests.architecture.sources import PROJECT, Source, sources

# The one module that reads many rows, and says how.
READERS = ("apps/core/pieces.py",)
# Preparing, and asking for names, belongs to these.
PREPARERS = ("apps/core/statements.py", "apps/core/postgresql/probe.py")
_CALLS = {"iterator", "aiterator", "chunked_cursor", "create_cursor", "ServerCursor"}
_PREPARING = {"prepare", "prepare_threshold", "exec_prepared", "send_prepare", "send_query_prepared"}
_SESSION_SQL = re.compile(
    r"\A\s*(?:SET (?!LOCAL\b|CONSTRAINTS\b)|LISTEN |DECLARE |PREPARE |CREATE TEMP|DISCARD |LOAD )"
    r"|pg_(?:try_)?advisory_(?:lock|unlock)\b|\bWITH HOLD\b|set_config\([^)]*, *false\)"
)


def _name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _prepares(call: ast.Call) -> bool:
    """Whether libpq is asked; forms too have something to prepare."""
    if _name_of(call) != "prepare":
        return _name_of(call) in _PREPARING
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).endswith("pgconn")


def server_side_cursors(source: Source) -> list[str]:
    """Calls that open a cursor on the server: `iterator()`, and psycopg's own cursors with a name."""
    found = []
    for node in source.nodes:
        if isinstance(node, ast.Call):
            is_named = _name_of(node) == "cursor" and (bool(node.args) or any(word.arg for word in node.keywords))
            if is_named or _name_of(node) in _CALLS:
                found.append(f"{source.path}:{node.lineno}")
    return found


def preparations(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}"
        for node in source.nodes
        if isinstance(node, ast.Call)
        and (_prepares(node) or any(word.arg in {"prepare", "prepare_threshold"} for word in node.keywords))
    ]


def session_statements(source: Source) -> list[str]:
    """Texts of SQL that change or use what belongs to one session."""
    return [
        f"{source.path}:{node.lineno}"
        for node in source.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SESSION_SQL.search(node.value)
    ]


def all_sources() -> list[Source]:
    """The product's sources, migrations among them: those run within transactions, which is checked below."""
    return [source for source in sources("apps", "billing_site") if not source.path.startswith("billing_site/launcher")]


@pytest.mark.parametrize(
    ("found", "allowed"),
    [(server_side_cursors, READERS), (preparations, PREPARERS), (session_statements, READERS)],
    ids=["cursors", "preparations", "session statements"],
)
def test_nothing_relies_on_a_session(found: object, allowed: tuple[str, ...]) -> None:
    assert callable(found)
    places = [where for source in all_sources() for where in found(source)]
    assert [where for where in places if not where.startswith(allowed)] == []


def test_django_opens_no_cursor_on_the_server_and_prepares_nothing() -> None:
    database = settings.DATABASES["default"]
    assert database["DISABLE_SERVER_SIDE_CURSORS"]
    assert database["OPTIONS"].get("prepare_threshold") is None
    assert not database["OPTIONS"].get("server_side_binding")


def test_migrations_that_read_many_rows_run_in_a_transaction() -> None:
    for path in sorted(Path(PROJECT, "apps").rglob("migrations/*.py")):
        text = path.read_text(encoding="utf-8")
        assert not (".iterator(" in text and "atomic = False" in text), path


CASES = [
    (server_side_cursors, "rows.iterator()"),
    (server_side_cursors, "rows.iterator(chunk_size=5)"),
    (server_side_cursors, "raw.cursor(name='x')"),
    (server_side_cursors, "raw.cursor('x')"),
    (server_side_cursors, "connection.chunked_cursor()"),
    (preparations, "raw.pgconn.prepare(b'x', b'SELECT 1')"),
    (preparations, "cursor.execute('SELECT 1', prepare=True)"),
    (session_statements, "cursor.execute('SET statement_timeout = 0')"),
    (session_statements, "cursor.execute('SELECT pg_advisory_lock(1)')"),
    (session_statements, "cursor.execute(\"SELECT set_config('a', 'b', false)\")"),
    (session_statements, "cursor.execute('LISTEN news')"),
    (session_statements, "cursor.execute('CREATE TEMP TABLE t (a int)')"),
    (session_statements, "cursor.execute('DECLARE c CURSOR WITH HOLD FOR SELECT 1')"),
]


@pytest.mark.parametrize(("found", "line"), CASES, ids=[line for _, line in CASES])
def test_the_check_finds_it(found: object, line: str) -> None:
    assert callable(found)
    assert found(Source("made_up.py", line, ast.parse(line))) == ["made_up.py:1"]


@pytest.mark.parametrize(
    "line",
    [
        "connection.cursor()",
        "cursor.execute('SET LOCAL lock_timeout = 4000')",
        "cursor.execute('SELECT pg_advisory_xact_lock(1)')",
        "cursor.execute(\"SELECT set_config('a', 'b', true)\")",
        "cursor.execute('UPDATE t SET a = 1')",
    ],
)
def test_the_check_lets_transactions_be(line: str) -> None:
    source = Source("made_up.py", line, ast.parse(line))
    assert server_side_cursors(source) == preparations(source) == session_statements(source) == []
