"""`manage.py publish_policy`: publish a credit policy from a reviewed file (spec 09, Commands)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.core.wire.parser import parse_object
from apps.core.wire.refusals import FieldRefusedError
from apps.credits.api.bodies import PolicyFile
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_policy_publish_prices
from apps.tenants.access import console_context
from apps.tenants.selectors.products import product_by_slug


class Command(BaseCommand):
    help = "Publish a new version of a product's credit policy from a file; an unchanged file publishes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", required=True, metavar="SLUG", help="slug of the product, such as red")
        parser.add_argument("file", type=Path, metavar="FILE.json")

    def handle(self, *_: Any, product: str, file: Path, **__: Any) -> None:
        found = product_by_slug(product)
        if found is None:
            raise CommandError(f"There is no product {product}. Make it first: manage.py create_service_token.")
        try:
            values = PolicyFile.read(parse_object(file.read_bytes()))
            policy = credit_policy_publish_prices(
                console_context(),
                product_id=ProductId(found.pk),
                prices=[Price(**{**row, "billable_outcomes": _outcomes(row)}) for row in values["operations"]],
                effective_from=values.get("effective_from"),
            )
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.") from error
        except FieldRefusedError as refusal:
            lines = [f"{error.field}: {error.message}" for error in refusal.errors]
            raise CommandError("\n".join(lines)) from refusal
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        if policy is None:
            self.stdout.write("Unchanged: nothing published.")
        else:
            self.stdout.write(f"Published version {policy.version} of {product}.")


def _outcomes(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row.get("billable_outcomes", ("succeeded",)))
