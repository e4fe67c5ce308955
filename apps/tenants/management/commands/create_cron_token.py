"""Makes a cron token, which starts jobs and nothing else, and prints it alone, once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.tenants.access import console_context
from apps.tenants.enums import TokenKind
from apps.tenants.services import service_token_create


class Command(BaseCommand):
    help = "Make a cron token (it starts jobs and nothing else) and print the token alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default="made on the console", help="what staff see in the list of tokens")

    def handle(self, *args: Any, **options: Any) -> None:
        _, text = service_token_create(console_context(), kind=TokenKind.CRON, name=options["name"])
        self.stdout.write(text)
