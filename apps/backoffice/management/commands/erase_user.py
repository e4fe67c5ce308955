"""`manage.py erase_user ID`: removes what names a person, everywhere; books and audit chain hold (spec 14, Leaving)."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.backoffice.leaving import user_erase
from apps.core.errors import CountinghouseError
from apps.core.ids import UserId
from apps.tenants.access import console_context


class Command(BaseCommand):
    help = (
        "Removes a person's e-mail addresses, names and ways to sign in from every table. Ids stay, and ledger and "
        "audit log still verify. Can't be undone. Interrupted, it is finished by running it again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", type=UUID, metavar="ID")
        parser.add_argument("--reason", required=True, help="saved in the audit log, without the person's name")
        parser.add_argument(
            "--also", action="append", default=[], metavar="TEXT", help="a further address or name of theirs"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say which rows name the person")

    def handle(self, *_: Any, user: UUID, reason: str, also: list[str], dry_run: bool, **__: Any) -> None:
        try:
            erased = user_erase(console_context(), user_id=UserId(user), reason=reason, also=also, is_preview=dry_run)
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        for table, count in erased.rows.items():
            self.stdout.write(f"{table:44}{count:>12,} rows")
        if dry_run and erased.erased_at is None:
            self.stdout.write("A dry run: nothing was changed.")
        else:
            self.stdout.write(f"User {user} is erased since {erased.erased_at:%Y-%m-%d %H:%M:%S} UTC.")
