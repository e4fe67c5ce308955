"""Migrations while everybody works: one at a time, short waits for locks, tried again (spec 14, Upgrades)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as django_migrate
from django.db import OperationalError, connection, transaction

from apps.core.locks import lock_number
from apps.core.management.commands import migrate
from apps.core.postgresql import limits
from tests.faults.web_servers import database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def another() -> Iterator[psycopg.Connection[Any]]:
    """A connection of somebody else."""
    with psycopg.connect(database_url()) as link:
        yield link


def test_two_at_once_are_refused_and_the_second_changes_nothing(
    another: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []
    monkeypatch.setattr(django_migrate.Command, "handle", lambda *args, **options: began.append("migrate"))
    another.execute("SELECT pg_advisory_xact_lock(%s)", [lock_number("migrate")])
    with pytest.raises(CommandError, match="Another migrate is running"):
        call_command("migrate", verbosity=0)
    assert began == []
    another.rollback()
    call_command("migrate", verbosity=0)
    assert began == ["migrate"]
    # It has let go.
    call_command("migrate", verbosity=0)
    assert began == ["migrate"] * 2


def test_a_change_of_the_schema_waits_for_a_lock_for_a_short_time_only(
    another: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limits.MIGRATION_LOCK_MILLISECONDS == 4_000
    monkeypatch.setattr(limits, "MIGRATION_LOCK_MILLISECONDS", 50)
    another.execute("LOCK TABLE core_jobrun IN ACCESS SHARE MODE")

    def alter() -> None:
        with connection.schema_editor() as editor:
            editor.execute("ALTER TABLE core_jobrun ADD COLUMN for_a_test integer")
            transaction.set_rollback(True)

    with pytest.raises(OperationalError, match="lock timeout"):
        alter()
    another.rollback()
    alter()
    # The limit is that of the migration's transaction, and of no other.
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() != ("50ms",)
    with connection.schema_editor(atomic=False), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() != ("50ms",)


@pytest.mark.slow
def test_it_is_tried_again_until_the_lock_is_free(
    another: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MIGRATION_LOCK_MILLISECONDS", 50)
    monkeypatch.setattr(migrate, "_LONGEST_PAUSE_SECONDS", 0.5)
    another.execute("LOCK TABLE core_jobrun IN ACCESS SHARE MODE")
    tries: list[int] = []

    def alter(*args: object, **options: object) -> None:
        tries.append(1)
        with connection.schema_editor() as editor:
            editor.execute("ALTER TABLE core_jobrun ADD COLUMN for_a_test integer")
            transaction.set_rollback(True)

    monkeypatch.setattr(django_migrate.Command, "handle", alter)
    said = StringIO()
    threading.Timer(1.0, another.rollback).start()
    call_command("migrate", verbosity=0, stderr=said)
    assert len(tries) > 1
    assert f"A table is locked. Trying again (2 of {migrate.MOST_TRIES})" in said.getvalue()


@pytest.mark.slow
def test_after_its_last_try_it_says_what_to_do(
    another: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MIGRATION_LOCK_MILLISECONDS", 20)
    monkeypatch.setattr(migrate, "_LONGEST_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(migrate, "MOST_TRIES", 2)
    another.execute("LOCK TABLE core_jobrun IN ACCESS SHARE MODE")

    def alter(*args: object, **options: object) -> None:
        with connection.schema_editor() as editor:
            editor.execute("ALTER TABLE core_jobrun ADD COLUMN for_a_test integer")

    monkeypatch.setattr(django_migrate.Command, "handle", alter)
    with pytest.raises(CommandError, match="stayed locked through 2 tries"):
        call_command("migrate", verbosity=0, stderr=StringIO())


def test_another_error_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def fail(*args: object, **options: object) -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1) FROM nowhere_at_all")

    monkeypatch.setattr(django_migrate.Command, "handle", fail)
    with pytest.raises(Exception, match="nowhere_at_all"):
        call_command("migrate", verbosity=0)
    assert len(tries) == 1
