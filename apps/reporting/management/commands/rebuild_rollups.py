"""`manage.py rebuild_rollups`: compare the rollups with what they add up, compute wrong ones afresh (spec 09).

Reports of days that were wrong are made anew, and not mailed (spec 07, Daily report).
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.pieces import in_pieces
from apps.reporting.models import RollupState
from apps.reporting.selectors.faults import rollup_faults
from apps.reporting.services import rollups_refresh
from apps.reporting.services.repairs import repaired_reports_revise, rollups_repair
from apps.tenants.access import console_context

_NAMED = 5


class Command(BaseCommand):
    help = "Compare the rollups with the entries and records that they add up; compute wrong ones afresh."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--check` changes nothing."""
        parser.add_argument("--check", action="store_true", help="say what is wrong and change nothing; exit 1 if so")
        parser.add_argument("--organization", type=UUID, metavar="ID", help="this organization alone")

    def handle(self, *_: Any, check: bool, organization: UUID | None, **__: Any) -> None:
        """Raises `CommandError` for what `--check` found."""
        context = console_context()
        states = RollupState.objects.only("pk") if organization is None else RollupState.objects.filter(pk=organization)
        wrong = looked_at = 0
        for state in in_pieces(states):
            faults = rollup_faults(state.pk)
            looked_at, wrong = looked_at + 1, wrong + bool(faults)
            for fault in faults[:_NAMED]:
                self.stdout.write(f"organization {state.pk}: {fault}")
            if faults and not check:
                rollups_repair(context, account_id=state.pk)
                self.stdout.write(f"organization {state.pk}: computed afresh.")
        if check and wrong:
            raise CommandError(f"The rollups of {wrong} organizations are wrong.", returncode=1)
        if not check:
            # What has none yet, and what came in since.
            rollups_refresh(context)
            for report in repaired_reports_revise(context):
                whose = f"organization {report.organization_id}" if report.organization_id else "the platform"
                self.stdout.write(f"{whose}: revision {report.revision} of the report of {report.day}, not mailed.")
        self.stdout.write(f"{'Repaired' if wrong else 'Sound'}: {looked_at} organizations, {wrong} were wrong.")
