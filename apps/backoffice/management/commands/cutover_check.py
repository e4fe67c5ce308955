"""`manage.py cutover_check --product SLUG`: whether a product could be decided centrally (spec 02, Cutover)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.backoffice.cutover.check import cutover_check_run
from apps.core import clock
from apps.core.ids import ProductId
from apps.tenants.access import console_context
from apps.tenants.billing_modes import missing_for_central
from apps.tenants.selectors.billing_modes import latest_check_facts
from apps.tenants.selectors.products import product_by_slug

_MARKS = {"passed": "ok", "failed": "FAILED", "nothing": "nothing"}


class Command(BaseCommand):
    help = (
        "Drives the real HTTP API as the product, in a synthetic organization, and looks at the product's data. Prints "
        "a table; exits with 1 when a line fails. The result is kept: central asks for one of the last day."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", required=True, metavar="SLUG")
        parser.add_argument("--base-url", default="", metavar="URL", help="where the API answers; default: PUBLIC_URL")

    def handle(self, *_: Any, **options: Any) -> None:
        product = product_by_slug(options["product"])
        if product is None:
            raise CommandError(f"There is no product {options['product']!r}. Its slug is on the product's admin page.")
        base_url = options["base_url"] or settings.PUBLIC_URL
        check = cutover_check_run(console_context(), product=product, base_url=base_url)
        width = max(len(line["name"]) for line in check.lines)
        for line in check.lines:
            self.stdout.write(f"{_MARKS[line['outcome']]:8}{line['name']:{width}}  {line['detail']}")
        missing = missing_for_central(latest_check_facts(ProductId(product.pk)), clock.now())
        self.stdout.write("")
        self.stdout.write("Ready for central." if not missing else "Central is refused so far:")
        for sentence in missing:
            self.stdout.write(f"  {sentence}")
        if not check.has_passed:
            raise CommandError(f"The cutover check of {product.slug} has failed.", returncode=1)
