"""The migrated database that tests copy is never a stale one, and tables that tests fill are empty afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection

from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.core.operations import PLATFORM_LADDER
from billing_site.launcher.places import PROJECT
from tests import databases
from tests.architecture.sources import sources
from tests.drop_database import drop_database
from tests.factories.tenants import make_organization


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT / "apps", tmp_path / "apps", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    "path",
    [
        "apps/core/migrations/0001_schema.py",
        "apps/credits/migrations/sql/0002/consume.sql",
        "apps/tenants/models/organizations.py",  # a migration imports it
        "apps/core/moments.py",  # what that imports
    ],
)
def test_whatever_shapes_the_database_changes_its_name(project: Path, path: str) -> None:
    before = databases.shape_digest(project)
    assert before == databases.shape_digest()
    with (project / path).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert databases.shape_digest(project) != before


def test_a_new_migration_changes_its_name(project: Path) -> None:
    before = databases.shape_digest(project)
    (project / "apps/core/migrations/9999_new.py").touch()
    assert databases.shape_digest(project) != before


def test_what_no_migration_imports_does_not(project: Path) -> None:
    before = databases.shape_digest(project)
    (project / "apps/core/pages.py").write_text("", encoding="utf-8")
    assert databases.shape_digest(project) == before


@pytest.mark.django_db(transaction=True)
def test_emptied_tables_hold_the_groups_of_staff_alone() -> None:
    make_organization()
    Group.objects.create(name="made by a test")
    assert AuditEntry.objects.exists()
    databases.empty_tables()
    assert not AuditEntry.objects.exists()  # of an append-only table
    assert set(Group.objects.values_list("name", flat=True)) == {Role(role).value for role in PLATFORM_LADDER}


@pytest.mark.django_db(transaction=True)
def test_large_tables_are_emptied_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_SMALL_BYTES", 0)
    make_organization()
    databases.empty_tables()
    assert not AuditEntry.objects.exists()


def test_a_database_is_dropped_with_a_session_of_ours_in_it(db: None) -> None:
    name = f"{databases.own_name()}_dropped"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
        with psycopg.connect(**{**connection.get_connection_params(), "dbname": name, "cursor_factory": None}) as ours:
            drop_database(cursor, name)
            with pytest.raises(psycopg.OperationalError):
                ours.execute("SELECT 1")
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        assert cursor.fetchall() == []


def test_no_database_is_dropped_by_force() -> None:
    """It fails for a role that is no superuser whenever autovacuum is at work there, which a test cannot arrange."""
    spelled = "WITH " + "(FORCE)"
    found = {source.path for source in sources("apps", "billing_site", "tests") if spelled in source.text}
    assert found == {"tests/drop_database.py"}  # where the docstring says why
