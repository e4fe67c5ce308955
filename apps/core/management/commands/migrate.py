"""`manage.py migrate`, which refuses a database that a version before the first release has set up."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

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


class Command(migrate.Command):
    """Django's own command, behind the check."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Raise CommandError before anything is changed."""
        applied = MigrationRecorder(connections[options["database"]]).applied_migrations()
        if not _BEFORE_THE_FIRST_RELEASE.isdisjoint(applied):
            raise CommandError(
                "This database was set up by a version before the first release, and can't be upgraded. Nothing was "
                "changed. Start with an empty database: set DATABASE_URL to one, or, for `make run` with its embedded "
                "PostgreSQL, move the folder var/ away and start again."
            )
        super().handle(*args, **options)
