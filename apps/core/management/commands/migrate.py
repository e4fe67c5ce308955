"""`manage.py migrate`: one at a time, short waits for locks, and no database from before the first release."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from psycopg.errors import LockNotAvailable

from apps.core.locks import lock_number

# The first migration of each app as it was called then. Those of today make the same tables at once.
_BEFORE_THE_FIRST_RELEASE = frozenset(
    {
        ("core", "0001_audit_idempotency_outbox_jobs"),
        ("tenants", "0001_tenants_and_access"),
        ("subscriptions", "0001_commercial_truth"),
        ("credits", "0001_the_ledger"),
        ("connectors", "0001_connectors"),
        ("payments", "0001_inbox_and_mirror"),
    }
)
MOST_TRIES = 30
_LONGEST_PAUSE_SECONDS = 8.0


class Command(migrate.Command):
    """Django's own command, behind the checks."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise CommandError before anything is changed. What can't have its locks is undone, and tried again."""
        applied = MigrationRecorder(connections[options["database"]]).applied_migrations()
        if not _BEFORE_THE_FIRST_RELEASE.isdisjoint(applied):
            raise CommandError(
                "This database was set up by a version before the first release, and can't be upgraded. Nothing was "
                "changed. Start with an empty database: set DATABASE_URL to one, or, for `make run` with its embedded "
                "PostgreSQL, move the folder var/ away and start again."
            )
        with _only_one(options["database"]):
            for tried in range(1, MOST_TRIES + 1):
                try:
                    super().handle(*args, **options)
                except OperationalError as error:
                    if not isinstance(error.__cause__, LockNotAvailable):
                        raise
                    if tried == MOST_TRIES:
                        raise CommandError(
                            f"A table stayed locked through {MOST_TRIES} tries. What was applied before stays. End the "
                            "long transaction (pg_stat_activity shows it), and run migrate again."
                        ) from error
                    self.stderr.write(f"\nA table is locked. Trying again ({tried + 1} of {MOST_TRIES}) ...")
                    time.sleep(random.uniform(0.5, _LONGEST_PAUSE_SECONDS))  # noqa: S311 - spreads the tries
                else:
                    break


@contextmanager
def _only_one(database: str) -> Iterator[None]:
    """Hold a lock beside the migrations, on a connection of its own, until they are over or the process is."""
    guard = connections[database].copy()
    guard.set_autocommit(False)
    try:
        with guard.cursor() as cursor:
            # It waits for as long as the migrations take.
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock_number("migrate")])
            if not cursor.fetchone()[0]:
                raise CommandError("Another migrate is running on this database. Wait for it, then run this again.")
        yield
    finally:
        guard.close()
