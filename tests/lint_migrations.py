"""`python -m tests.lint_migrations`: no migration of ours locks a big table or breaks the version before (spec 08)."""

from __future__ import annotations

import os
import sys

import django
from django.apps import apps
from django.db import connection
from django_migration_linter import MessageType, MigrationLinter

from billing_site.launcher.places import PROJECT

# A varchar that becomes longer changes the catalogue alone; the linter can't see that it does not become shorter.
_LONGER_TEXT = ("0011_longer_classes_of_difference",)


def main() -> int:
    """1 when a migration is backward incompatible; the linter prints which."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
    django.setup()
    linter = MigrationLinter(
        str(PROJECT),
        include_apps=[config.label for config in apps.get_app_configs() if config.name.startswith("apps.")],
        no_cache=True,
        ignore_name=_LONGER_TEXT,
        quiet=[MessageType.OK.value, MessageType.IGNORE.value],
    )
    linter.lint_all_migrations()
    linter.print_summary()
    connection.close()
    return int(linter.has_errors)


if __name__ == "__main__":
    sys.exit(main())
