"""`python -m tests.core.declared_schema`: make the tables of the models in DATABASE_URL, without any migration."""

from __future__ import annotations

import os
from importlib import import_module

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations import Migration, RunSQL

# Django's own tables come from its models too.
FUNCTIONS = (
    "apps.tenants.migrations.0005_billing_mode_function",
    "apps.credits.migrations.0002_functions",
    "apps.credits.migrations.0009_functions",
    "apps.credits.migrations.0014_explained_differences",
    "apps.credits.migrations.0018_functions_that_know_named_workspaces",
    "apps.credits.migrations.0020_functions_that_keep_keys_with_entries",
    "apps.credits.migrations.0021_burn_what_is_new_alone",
    "apps.credits.migrations.0022_batches_that_answer_from_what_they_insert",
    "apps.credits.migrations.0025_runs_of_an_account",
)


class NoMigrations(dict[str, None]):
    """Says of each app that it has none."""

    def __contains__(self, label: object) -> bool:
        return True

    def __missing__(self, label: str) -> None:
        return None


def main() -> None:
    """Tables, triggers, functions."""
    settings.MIGRATION_MODULES = NoMigrations()
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("pgtrigger", "install")
    with connection.cursor() as cursor:
        for name in FUNCTIONS:
            migration: type[Migration] = import_module(name).Migration
            for operation in (found for found in migration.operations if isinstance(found, RunSQL)):
                for statement in [operation.sql] if isinstance(operation.sql, str) else operation.sql:
                    cursor.execute(str(statement))
    connection.close()


if __name__ == "__main__":
    main()
