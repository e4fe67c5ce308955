"""Migrations make what the models and the SQL files declare; a database from before the first release is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from billing_site.launcher.places import PROJECT
from tests.core.catalog import read_catalog
from tests.drop_database import drop_database
from tests.faults.web_servers import database_url

pytestmark = pytest.mark.django_db

DECLARED = "declared_schema"


@pytest.fixture
def declared() -> Iterator[str]:
    """The address of an empty database."""
    address = urlsplit(database_url())
    with psycopg.connect(address.geturl(), autocommit=True) as link:
        drop_database(link.cursor(), DECLARED)
        link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DECLARED)))
        yield address._replace(path=f"/{DECLARED}").geturl()
        drop_database(link.cursor(), DECLARED)


@pytest.mark.slow
def test_migrations_make_what_the_models_declare(declared: str) -> None:
    """The declared database is made from the models at once, with no migration but for the functions' SQL."""
    subprocess.run(
        [sys.executable, "-m", "tests.core.declared_schema"],
        env={**os.environ, "DATABASE_URL": declared},
        cwd=PROJECT,
        check=True,
    )
    with psycopg.connect(database_url()) as migrated, psycopg.connect(declared) as fresh:
        wanted, found = _ours(read_catalog(fresh)), _ours(read_catalog(migrated))
        assert len(wanted) > 1_500
        assert sorted(found - wanted) == []
        assert sorted(wanted - found) == []
        # The control: a constraint that is missing is a difference.
        migrated.execute("ALTER TABLE credits_hold DROP CONSTRAINT hold_end_iff_ended")
        assert wanted - read_catalog(migrated) != set()
        migrated.rollback()


def _ours(lines: set[str]) -> set[str]:
    """Without the tables of Django and of other packages, whose migrations are not ours to judge."""
    labels = {config.label for config in apps.get_app_configs() if not config.name.startswith("apps.")}
    # "": pghistory's functions begin with an underscore.
    return {line for line in lines if line.split(" | ")[1].split("_")[0] not in labels | {"django", ""}}


def test_a_database_from_before_the_first_release_is_refused() -> None:
    before = read_catalog(connection)
    MigrationRecorder(connection).record_applied("core", "0001_audit_idempotency_outbox_jobs")
    with pytest.raises(CommandError, match=r"before the first release.*Nothing was changed.*DATABASE_URL"):
        call_command("migrate", verbosity=0)
    assert read_catalog(connection) == before


def test_a_database_that_is_up_to_date_is_left_alone() -> None:
    call_command("migrate", verbosity=0)
