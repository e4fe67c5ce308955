"""A backup as docs/operations.md makes it, restored into a new database: all books are sound there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import call_command
from django.db import connection

from apps.core.models import AuditEntry
from billing_site import variables
from billing_site.launcher.places import PROJECT
from billing_site.launcher.programs import postgres_programs
from tests.drop_database import drop_database

DOCUMENT = (PROJECT / "docs" / "operations.md").read_text("utf-8")
CHECKS = (("verify_ledger",), ("verify_audit",), ("rebuild_rollups", "--check"))


def url_of(name: str) -> str:
    return urlunsplit(urlsplit(variables.DATABASE_URL)._replace(path=f"/{name}"))


def run(*command: str | Path, **extra: str) -> str:
    """Run it; what it printed, or the test fails with what it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=PROJECT,
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_dump_is_restored_and_all_is_sound(tmp_path: Path) -> None:
    # As the document has them, but for the names.
    dump_options = re.search(r"`pg_dump (.*) --file=countinghouse.dump", DOCUMENT)
    restore_options = re.search(r"^pg_restore (.*) --dbname=", DOCUMENT, re.MULTILINE)
    assert dump_options is not None
    assert restore_options is not None
    for check in CHECKS:
        assert f"manage.py {' '.join(check)}\n" in DOCUMENT
    call_command("seed_demo")
    written = AuditEntry.objects.count()
    programs, dump, name = postgres_programs(), tmp_path / "countinghouse.dump", f"restored_{os.getpid()}"
    run(programs / "pg_dump", *dump_options[1].split(), f"--file={dump}", url_of(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    try:
        run(programs / "pg_restore", *restore_options[1].split(), f"--dbname={url_of(name)}", dump)
        for command in (("migrate", "--verbosity=0"), *CHECKS):
            said = run(sys.executable, "manage.py", *command, DATABASE_URL=url_of(name))
            assert command[0] == "migrate" or "sound" in said.lower()
        counted = run(programs / "psql", url_of(name), "-Atc", "SELECT count(*) FROM core_auditentry")
        assert int(counted) == written > 0
    finally:
        with connection.cursor() as cursor:
            drop_database(cursor, name)
