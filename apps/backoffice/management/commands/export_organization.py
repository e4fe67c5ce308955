"""`manage.py export_organization ID`: everything of one organization as files (spec 14, Leaving)."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.backoffice.leaving import organization_export
from apps.core.errors import CountinghouseError
from apps.core.ids import OrganizationId
from apps.tenants.access import console_context


class Command(BaseCommand):
    help = (
        "Writes everything of one organization as of one moment: JSON Lines, CSV where a spreadsheet helps, and a "
        "manifest with the rows and SHA-256 of each file. No secrets, and nothing of our staff. The audit log says so."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organization", type=UUID, metavar="ID")
        parser.add_argument(
            "--to", type=Path, metavar="FOLDER", help="an empty folder, or one to make; else organization-ID, here"
        )

    def handle(self, *_: Any, organization: UUID, to: Path | None, **__: Any) -> None:
        folder = to or Path(f"organization-{organization}")
        try:
            export = organization_export(
                console_context(), organization_id=OrganizationId(organization), folder=folder.absolute()
            )
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        for file in export.files:
            self.stdout.write(f"{file.file:32}{file.rows:>12,} rows{file.bytes:>16,} bytes")
        self.stdout.write(f"{export.rows:,} rows of organization {organization} are in {export.folder}.")
