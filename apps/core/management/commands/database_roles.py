"""`manage.py database_roles`: the database's roles for web and jobs, with their timeouts (spec 14, Topology)."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from apps.core.postgresql.roles import LONGEST_PREFIX, ROLES, role_statements

_PREFIX = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_PREFIX - 1}}}")


class Command(BaseCommand):
    help = (
        "Make or renew the roles <prefix>_web and <prefix>_jobs: their timeouts and rights. Run it as the owner of the "
        "tables, after each change of version too. Then give each a password, and DATABASE_URL of web and of the "
        "workers its role."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prefix", default="countinghouse", help="How the roles' names begin.")
        parser.add_argument("--sql", action="store_true", help="Print the statements and change nothing.")

    def handle(self, *_: Any, prefix: str, **options: Any) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise CommandError(
                f"--prefix: use 1 to {LONGEST_PREFIX} lower-case letters, digits and underscores, a letter first."
            )
        database = str(connection.settings_dict["NAME"])
        statements = list(role_statements(prefix=prefix, database=database, existing=_existing(prefix)))
        if options["sql"]:
            for statement in statements:
                self.stdout.write(f"{_text(statement)};")
            return
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(_text(statement))
        except DatabaseError as error:
            raise CommandError(
                f"The database refused: {str(error).splitlines()[0]}. Nothing is changed. Run it as a role with "
                "CREATEROLE, or give what --sql prints to whoever administers the database.",
                returncode=1,
            ) from error
        names = " and ".join(f"{prefix}_{work.value}" for work in ROLES)
        self.stdout.write(f"Done: {names}. A role without a password: ALTER ROLE name PASSWORD '…'.")


def _existing(prefix: str) -> frozenset[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"{prefix}%"])
        return frozenset(name for (name,) in cursor.fetchall())


def _text(statement: sql.Composed) -> str:
    return statement.as_string(connection.connection)
