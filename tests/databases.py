"""The test database: each process copies one that was migrated once, and empties it after tests that commit.

The migrated database stays on the server between sessions. Its name carries a digest of all that shapes it, so that a
changed migration, or a changed module that a migration imports, makes another one.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

from apps.core.enums import Role
from apps.core.operations import PLATFORM_LADDER
from billing_site.launcher.places import PROJECT
from tests.drop_database import drop_database

_PACKAGES = ("django", "django-otp", "django-pghistory", "django-pgtrigger", "psycopg")
# Any number: whoever makes or copies the migrated database holds this lock of the server.
_LOCK = 7_301_996_055
_SMALL_BYTES = 1_000_000


def shape_digest(project: Path = PROJECT) -> str:
    """A digest of the migrations, their SQL, what they import of ours, and the packages that bring tables."""
    migrations = {path for path in project.glob("apps/*/migrations/**/*") if path.suffix in {".py", ".sql"}}
    found = hashlib.sha256(" ".join(version(package) for package in _PACKAGES).encode())
    for path in sorted(migrations | _imported(project, migrations)):
        found.update(f"\0{path.relative_to(project)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _imported(project: Path, files: set[Path]) -> set[Path]:
    """Our modules that the files import, and those that these import."""
    found: set[Path] = set()
    waiting = [path for path in files if path.suffix == ".py"]
    while waiting:
        names = _names(waiting.pop().read_bytes())
        fresh = {path for name in names if (path := _file_of(project, name)) is not None} - found
        found |= fresh
        waiting += fresh
    return found


@cache
def _names(source: bytes) -> frozenset[str]:
    """The modules and names that a module imports, and what may be a module among them."""
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def _file_of(project: Path, name: str) -> Path | None:
    if name.partition(".")[0] not in {"apps", "billing_site"}:
        return None
    place = project.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def own_name() -> str:
    """The database of this process: two sessions at once in one checkout leave each other's alone."""
    return f"test_{connection.settings_dict['NAME']}_of_{os.getpid()}"


def copy_migrated_database(name: str) -> None:
    """Make the database `name` as a copy of the migrated one, which is made first where it is missing."""
    template = f"test_{connection.settings_dict['NAME']}_migrated_{shape_digest()}"
    with connection._nodb_cursor() as cursor:
        # Whoever makes the migrated database takes minutes on a slow machine; the others wait for as long as it takes.
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # until the cursor's connection is closed
        if not _databases(cursor, template):
            _make_migrated_database(cursor, template)
        for abandoned in _databases(cursor, f"{own_name().rpartition('_')[0]}_%"):
            if not Path("/proc", abandoned.rpartition("_")[2]).exists() or abandoned == name:
                drop_database(cursor, abandoned)
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def _make_migrated_database(cursor: Any, template: str) -> None:
    """Beside its place, and then moved there: an interrupted one is never taken for whole. Older ones go."""
    for stale in _databases(cursor, f"{template.rpartition('_')[0]}_%"):
        drop_database(cursor, stale)
    outside, made = connection.settings_dict["NAME"], f"{template}_new"
    connection.settings_dict["TEST"]["NAME"], before = made, connection.settings_dict["TEST"]["NAME"]
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
    finally:
        connection.close()
        connection.settings_dict["TEST"]["NAME"] = before
        use_database(outside)
    cursor.execute(f'ALTER DATABASE "{made}" RENAME TO "{template}"')


def _databases(cursor: Any, pattern: str) -> list[str]:
    cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [pattern.replace("_", r"\_")])
    return [name for (name,) in cursor.fetchall()]


def use_database(name: str) -> None:
    """From now on the connections of this process lead there."""
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name


@contextmanager
def undone() -> Iterator[None]:
    """What is written within is undone, in the end or by an error."""
    with transaction.atomic():
        # As a test case's own block: services that insist on committing themselves take it for none.
        transaction.get_connection().atomic_blocks[-1]._from_testcase = True
        try:
            yield
        finally:
            transaction.set_rollback(True)


@cache
def _tables() -> list[str]:
    """Those of all models but the two whose rows come with the migrations and are never changed."""
    known = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    present = set(connection.introspection.table_names())
    return sorted(known & present - {ContentType._meta.db_table, Permission._meta.db_table})


def empty_tables() -> None:
    """Empty every table that has rows, append-only ones too, and put the groups of staff back.

    Deleting some rows is quicker than truncating, which makes new files for a table and each of its indexes.
    """
    tables = _tables()
    full = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        # Waits, as truncating would, for what a killed process's connection is still writing.
        cursor.execute(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(full)
        for (table,) in cursor.fetchall():
            cursor.execute("SELECT pg_relation_size(%s)", [table])
            is_small = cursor.fetchone()[0] < _SMALL_BYTES
            cursor.execute(f"DELETE FROM {table}" if is_small else f"TRUNCATE {table} CASCADE")
        for role in PLATFORM_LADDER:
            cursor.execute("INSERT INTO auth_group (name) VALUES (%s)", [Role(role).value])
