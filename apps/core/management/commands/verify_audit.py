"""`manage.py verify_audit`: recomputes every hash chain; exit 0 when sound, else 1 and what is wrong (spec 09)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.audit.verification import ChainReport, verify_audit
from apps.core.ids import OrganizationId

_BREAKS_SHOWN = 20


class Command(BaseCommand):
    help = "Recomputes every hash chain of the audit log and names the first broken entry of each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", type=UUID, metavar="ID", help="Check this organization's chain alone.")

    def handle(self, *_: Any, organization: UUID | None, **__: Any) -> None:
        chains = entries = broken = 0
        for report in verify_audit(OrganizationId(organization) if organization else None):
            chains, entries = chains + 1, entries + report.entries
            if not report.is_sound:
                broken += 1
                self._show(report)
        if broken:
            raise CommandError(f"{broken} of {chains} chains are broken; they are named above.", returncode=1)
        self.stdout.write(f"Sound: {entries} entries in {chains} chains.")

    def _show(self, report: ChainReport) -> None:
        self.stdout.write(str(report))
        for found in report.breaks[1:_BREAKS_SHOWN]:
            self.stdout.write(f"  {found}")
        if len(report.breaks) > _BREAKS_SHOWN:
            self.stdout.write(f"  … and {len(report.breaks) - _BREAKS_SHOWN} more")
