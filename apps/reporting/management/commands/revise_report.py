"""`manage.py revise_report`: make a daily report anew, keep the former ones, and say what changed (spec 07)."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.errors import CountinghouseError
from apps.core.moments import read_day
from apps.reporting.rules.document import read_document
from apps.reporting.rules.presenting import changes_between
from apps.reporting.selectors.reports import revisions_of
from apps.reporting.services.daily_reports import daily_report_revise
from apps.tenants.access import console_context


class Command(BaseCommand):
    help = "Make the daily report of an organization, or of the platform, anew. The former revisions stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """Without an organization it is the platform's report."""
        parser.add_argument("day", type=read_day, help="such as 2026-11-28")
        parser.add_argument("--organization", type=UUID, metavar="ID", help="whose; else the platform's")
        parser.add_argument("--reason", required=True, help="why, for the revision and the audit log")
        parser.add_argument("--mail", action="store_true", help="send it to the recipients too")

    def handle(self, *_: Any, day: date, organization: UUID | None, reason: str, mail: bool, **__: Any) -> None:
        """Prints each figure that changed."""
        try:
            report = daily_report_revise(
                console_context(), organization_id=organization, day=day, reason=reason, is_mailed=mail
            )
        except CountinghouseError as error:
            raise CommandError(str(error)) from error
        newest, before, *_rest = revisions_of(organization, day)
        changes = changes_between(read_document(before.document), read_document(newest.document))
        for change in changes:
            self.stdout.write(f"{change.where}: {change.before or 'not there'} -> {change.after or 'no longer there'}")
        self.stdout.write(f"Revision {report.revision} of {day}: {len(changes)} figures changed.")
