"""`manage.py database_roles`: roles with the timeouts of their work and the rights that they need, and no others."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from apps.core.postgresql.limits import LIMITS, Work
from tests.credits.cast import make_place

pytestmark = pytest.mark.django_db(transaction=True)


def connect(user: str) -> psycopg.Connection[tuple[object, ...]]:
    url = urlsplit(settings.DATABASE_URL)._replace(netloc=f"{user}@", path=f"/{connection.settings_dict['NAME']}")
    return psycopg.connect(url.geturl(), autocommit=True)


@pytest.fixture
def prefix(capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """Roles as the command's statements make them, carried out by the server's administrator for the owner."""
    prefix = f"test_{secrets.token_hex(6)}"
    call_command("database_roles", "--prefix", prefix, "--sql")
    text = capsys.readouterr().out
    with connect("postgres") as admin:
        for statement in text.split(";\n")[:-1]:
            admin.execute(statement.encode())
        yield prefix
        for work in (Work.WEB, Work.JOBS):
            admin.execute(f"DROP OWNED BY {prefix}_{work.value}".encode())
            admin.execute(f"DROP ROLE {prefix}_{work.value}".encode())


@pytest.mark.parametrize("work", [Work.WEB, Work.JOBS])
def test_a_role_brings_its_timeouts_and_its_name(prefix: str, work: Work) -> None:
    with connect(f"{prefix}_{work.value}") as raw:
        for name, value in LIMITS[work].settings.items():
            row = raw.execute("SELECT setting FROM pg_settings WHERE name = %s", [name]).fetchone()
            assert row == (value,)
        assert raw.execute("SHOW application_name").fetchone() == (f"countinghouse-{work.value}",)


def test_a_role_may_use_rows_and_change_no_table(prefix: str) -> None:
    place = make_place(whole_credits=5)
    with connect(f"{prefix}_web") as raw:
        row = raw.execute("SELECT count(*) FROM credits_creditaccount").fetchone()
        assert row is not None
        assert int(str(row[0])) >= 1
        raw.execute("UPDATE tenants_organization SET name = 'Changed' WHERE id = %s", [place.organization.pk])
        for statement in (
            "TRUNCATE core_auditentry",
            "DROP TABLE core_auditentry",
            "ALTER TABLE core_auditentry DISABLE TRIGGER ALL",
            "ALTER TABLE core_auditentry ADD COLUMN more text",
            "SET session_replication_role = replica",
            "CREATE ROLE another SUPERUSER",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                raw.execute(statement)
        assert raw.execute("SELECT count(*) > 0 FROM core_auditchain").fetchone() == (True,)
        with pytest.raises(psycopg.errors.RaiseException):
            raw.execute("DELETE FROM core_auditchain")


def test_a_second_time_changes_nothing(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("database_roles", "--prefix", prefix, "--sql")
    text = capsys.readouterr().out
    assert "CREATE ROLE" not in text
    with connect("postgres") as admin:
        for statement in text.split(";\n")[:-1]:
            admin.execute(statement.encode())


def test_one_who_may_not_make_roles_is_told_what_to_do() -> None:
    with pytest.raises(CommandError, match=r"CREATEROLE.*--sql"):
        call_command("database_roles", "--prefix", "test_refused")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'test_refused%'")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("prefix_given", ["", "Web", "1a", "a-b", "a;DROP ROLE b", "ü", "a" * 41, 'a"b'])
def test_a_prefix_that_is_no_name_is_refused(prefix_given: str) -> None:
    with pytest.raises(CommandError, match=r"--prefix: use 1 to 40"):
        call_command("database_roles", "--prefix", prefix_given, "--sql")
