"""Makes a product's service token and prints it alone, once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from apps.core.enums import Scope
from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.tenants.access import console_context
from apps.tenants.enums import TokenKind
from apps.tenants.services import product_upsert, service_token_create


class Command(BaseCommand):
    help = "Make a service token for a product (which is made if it is missing) and print the token alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        choices = [scope.value for scope in Scope if scope != Scope.JOBS_RUN]
        parser.add_argument("--product", required=True, metavar="SLUG", help="slug of the product, such as red")
        parser.add_argument(
            "--scope",
            action="append",
            choices=choices,
            metavar="SCOPE",
            help=f"repeatable; default: every product scope. One of: {', '.join(choices)}",
        )
        parser.add_argument("--name", default="made on the console", help="what staff see in the list of tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        context = console_context()
        scopes = [Scope(value) for value in options["scope"]] if options["scope"] else None
        try:
            with transaction.atomic():
                product = product_upsert(context, slug=options["product"]).record
                _, text = service_token_create(
                    context,
                    kind=TokenKind.PRODUCT,
                    product_id=ProductId(product.pk),
                    name=options["name"],
                    scopes=scopes,
                )
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(text)
