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

_NEAR_MISS = "outcome_nearly_usual"


class Command(BaseCommand):
    help = "Publish a new version of a product's credit policy from a file; an unchanged file publishes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", required=True, metavar="SLUG", help="slug of the product, such as red")
        parser.add_argument("file", type=Path, metavar="FILE.json")
        parser.add_argument(
            "--accept-outcomes",
            action="store_true",
            help="publish outcomes that nearly equal a usual one (succeeded, failed, canceled, timed_out, skipped)",
        )

    def handle(self, *_: Any, product: str, file: Path, accept_outcomes: bool, **__: Any) -> None:
        found = product_by_slug(product)
        if found is None:
            raise CommandError(f"There is no product {product}. Make it first: manage.py create_service_token.")
        try:
            values = PolicyFile.read(parse_object(file.read_bytes()))
            policy = credit_policy_publish_prices(
                console_context(),
                product_id=ProductId(found.pk),
                prices=[Price(**_fields(row)) for row in values["operations"]],
                effective_from=values.get("effective_from"),
                accept_outcomes=accept_outcomes,
            )
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.") from error
        except FieldRefusedError as refusal:
            lines = [f"{error.field}: {error.message}" for error in refusal.errors]
            raise CommandError("\n".join(lines)) from refusal
        except CountinghouseError as error:
            more = " With --accept-outcomes it is published as it is." if error.problem_code == _NEAR_MISS else ""
            raise CommandError(f"{error.detail}{more}") from error
        if policy is None:
            self.stdout.write("Unchanged: nothing published.")
        else:
            self.stdout.write(f"Published version {policy.version} of {product}.")


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    lists = {name: tuple(row[name]) for name in ("billable_outcomes", "other_outcomes") if name in row}
    return {**row, **lists}
