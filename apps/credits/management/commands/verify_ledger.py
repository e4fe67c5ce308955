"""`manage.py verify_ledger`: the invariants of the ledger; exit 0 when sound, else 1 and what is wrong (spec 09)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.credits.models import CreditAccount
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.selectors.seals import seal_faults

_SHOWN = 50


class Command(BaseCommand):
    help = "Check that balances, entries, holds and grants agree in every account, and that no sealed entry changed."

    def handle(self, *_: Any, **__: Any) -> None:
        faults = [*ledger_faults(), *seal_faults()]
        for fault in faults[:_SHOWN]:
            self.stdout.write(fault)
        if faults:
            raise CommandError(f"{len(faults)} faults; at most {_SHOWN} are named above.", returncode=1)
        self.stdout.write(f"Sound: {CreditAccount.objects.count()} accounts.")
