"""`manage.py backfill_usage --product SLUG --since DAY`: usage from before the switch goes to Orb (spec 04)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.canonical import moment_text
from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.core.moments import read_iso_moment
from apps.payments.services import usage_backfill
from apps.tenants.access import console_context
from apps.tenants.selectors.products import product_by_slug


class Command(BaseCommand):
    help = (
        "Sends a product's usage to Orb that was recorded while it was not reported. Each charge goes once, whenever "
        "this is repeated, less what was given back meanwhile. Orb shows it a day later."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", required=True, metavar="SLUG")
        parser.add_argument("--since", required=True, metavar="DAY", help="a day or moment in ISO 8601, in UTC")
        parser.add_argument("--reason", default="sent by command", help="kept in the audit log")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be sent")

    def handle(self, *_: Any, **options: Any) -> None:
        product = product_by_slug(options["product"])
        if product is None:
            raise CommandError(f"There is no product {options['product']!r}. Its slug is on the product's admin page.")
        try:
            sent = usage_backfill(
                console_context(),
                product_id=ProductId(product.pk),
                since=_moment(options["since"]),
                reason=options["reason"],
                is_dry_run=options["dry_run"],
            )
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        for begin, end in sent.recorded:
            self.stdout.write(f"Recorded from {moment_text(begin)} until {moment_text(end)}:")
        for month, charges in sent.months:
            self.stdout.write(f"  {month:%Y-%m}  {charges:>12,} charges")
        total = f"{sum(charges for _, charges in sent.months):,}"
        if options["dry_run"]:
            self.stdout.write(f"A dry run: {total} charges would be sent.")
        else:
            self.stdout.write(f"{total} charges are in the outbox. What Orb refuses is listed under Usage not at Orb.")


def _moment(text: str) -> datetime:
    try:
        return read_iso_moment(text)
    except ValueError as error:
        raise CommandError(f"--since {text!r} {error} Write a day such as 2026-08-01.") from error
