"""`manage.py verify_audit`: recomputes every hash chain; exit 0 when sound, else 1 and what is wrong (spec 09)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.audit.verification import ChainReport, verify_audit
from apps.core.audit.witness import WitnessError, contradiction, witnessed_heads
from apps.core.ids import OrganizationId

_BREAKS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class _Witnessed:
    """How many heads were compared, and how many are contradicted."""

    heads: int
    contradictions: int


def _lines(path: str) -> list[str]:
    try:
        return sys.stdin.readlines() if path == "-" else Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--against: {path} can't be read: {error}", returncode=1) from error


class Command(BaseCommand):
    help = "Recomputes every hash chain of the audit log and names the first broken entry of each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--against",
            metavar="FILE",
            help="Also check the log against the witnesses in this file of log lines (-: standard input).",
        )
        parser.add_argument("--organization", type=UUID, metavar="ID", help="Check this organization's chain alone.")

    def handle(self, *_: Any, organization: UUID | None, against: str | None, **__: Any) -> None:
        witnessed = None if against is None else self._contradictions(_lines(against), organization)
        chains = entries = broken = 0
        for report in verify_audit(OrganizationId(organization) if organization else None):
            chains, entries = chains + 1, entries + report.entries
            if not report.is_sound:
                broken += 1
                self._show(report)
        if broken:
            raise CommandError(f"{broken} of {chains} chains are broken; they are named above.", returncode=1)
        if witnessed and witnessed.contradictions:
            raise CommandError(
                f"{witnessed.contradictions} of {witnessed.heads} witnessed heads are contradicted, as named above: "
                "the log was changed by somebody who owns the database. Compare it with a backup.",
                returncode=1,
            )
        agreed = f" {witnessed.heads} witnessed heads agree." if witnessed else ""
        self.stdout.write(f"Sound: {entries} entries in {chains} chains.{agreed}")

    def _contradictions(self, lines: Iterable[str], organization: UUID | None) -> _Witnessed:
        """Name each contradiction, and count."""
        heads = contradictions = 0
        try:
            for head, at in witnessed_heads(lines):
                if organization is not None and head.organization_id != organization:
                    continue
                heads += 1
                found = contradiction(head, at)
                if found is not None:
                    contradictions += 1
                    self.stdout.write(str(found))
        except WitnessError as error:
            raise CommandError(f"--against: {error}", returncode=1) from error
        return _Witnessed(heads, contradictions)

    def _show(self, report: ChainReport) -> None:
        self.stdout.write(str(report))
        for found in report.breaks[1:_BREAKS_SHOWN]:
            self.stdout.write(f"  {found}")
        if len(report.breaks) > _BREAKS_SHOWN:
            self.stdout.write(f"  … and {len(report.breaks) - _BREAKS_SHOWN} more")
