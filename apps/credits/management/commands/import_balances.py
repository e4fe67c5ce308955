"""`manage.py import_balances --product SLUG FILE`: a product's own balances, brought over (spec 02, Cutover)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.amounts import format_micro
from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.credits.enums import BalanceImportStatus
from apps.credits.models import BalanceImport
from apps.credits.models.balance_imports import OVER
from apps.credits.rules.balance_file import COLUMNS, MOST_FAULTS
from apps.credits.services import balance_import_create, balances_judge
from apps.credits.services.balance_booking import balance_import_execute
from apps.credits.services.balance_imports import JudgedFile
from apps.tenants.access import console_context
from apps.tenants.selectors.products import product_by_slug

_LOOKS_EVERY = 0.5


class Command(BaseCommand):
    help = (
        f"Brings a product's own balances over as grants, from a CSV file with the columns {', '.join(COLUMNS)}. The "
        "whole file is refused, with line numbers, if any line is bad. Repeated, it books nothing twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", required=True, metavar="SLUG")
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be booked")
        parser.add_argument("--update", action="store_true", help="book the difference where a balance is another now")
        parser.add_argument("--reason", default="imported by command", help="kept in the audit log")

    def handle(self, *_: Any, **options: Any) -> None:
        product = product_by_slug(options["product"])
        if product is None:
            raise CommandError(f"There is no product {options['product']!r}. Its slug is on the product's admin page.")
        product_id, file, is_update = ProductId(product.pk), options["file"], options["update"]
        try:
            data = file.read_bytes()
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.") from error
        context = console_context()
        judged = balances_judge(context, product_id=product_id, data=data, is_update=is_update)
        if judged.faults:
            self._refuse(judged)
        self._tell(judged)
        if options["dry_run"]:
            self.stdout.write("A dry run: nothing was booked.")
            return
        try:
            record = balance_import_create(
                context,
                product_id=product_id,
                data=data,
                file_name=file.name,
                is_update=is_update,
                reason=options["reason"],
                starts=True,
            )
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        self._finish(context, record)

    def _refuse(self, judged: JudgedFile) -> None:
        for fault in judged.faults[:MOST_FAULTS]:
            self.stderr.write(str(fault))
        more = len(judged.faults) - MOST_FAULTS
        if more > 0:
            self.stderr.write(f"… and {more:,} more.")
        raise CommandError("Nothing was imported: the file has faults. Mend them and import it again.", returncode=1)

    def _tell(self, judged: JudgedFile) -> None:
        plan, totals = judged.plan, judged.totals
        rows = [
            ("In the file", plan.fresh + plan.unchanged + plan.changed, totals["file"]),
            ("  new", plan.fresh, None),
            ("  as imported before", plan.unchanged, None),
            ("  another balance now", plan.changed, None),
            ("Imported here before", None, totals["before"]),
            ("Booked by this file", None, totals["booked"]),
            ("Imported here afterwards", None, totals["after"]),
            ("  of it not in the file", totals["not_in_file_lines"], totals["not_in_file"]),
        ]
        self.stdout.write(f"{'':26}{'balances':>10}{'credits':>24}")
        for name, count, amount in rows:
            shown = "" if amount is None else format_micro(amount)
            self.stdout.write(f"{name:26}{'' if count is None else format(count, ','):>10}{shown:>24}".rstrip())

    def _finish(self, context: Any, record: BalanceImport) -> None:
        """Carry it out here; where a worker has it, or one that was killed still holds it, wait for its turn."""
        while record.status not in OVER:
            balance_import_execute(context, record.pk)
            record.refresh_from_db()
            if record.status not in OVER:
                time.sleep(_LOOKS_EVERY)
        told = ", ".join(f"{count:,} {name}" for name, count in sorted(record.counts.items())) or "nothing"
        self.stdout.write(f"{record.done:,} of {record.lines:,} lines: {told}.")
        if record.status != BalanceImportStatus.SUCCEEDED:
            raise CommandError(f"{record.error} What was booked stays; import the file again when it is mended.")
        self.stdout.write(f"Imported here now: {format_micro(record.totals['after'])} credits.")
