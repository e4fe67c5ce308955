"""Mails a tenant a link that signs them in, as the verb on their page in the staff plane does."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import CountinghouseError
from apps.core.ids import UserId
from apps.tenants.access import console_context
from apps.tenants.enums import LinkKind
from apps.tenants.selectors.users import user_by_email
from apps.tenants.services import sign_in_link_send


class Command(BaseCommand):
    help = "Mail the person with this e-mail address a link that signs them in once, within 30 minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", default="sent on the console")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_by_email(options["email"])
        if user is None:
            raise CommandError(f"No user has the e-mail address {options['email']}.")
        try:
            sign_in_link_send(
                console_context(), user_id=UserId(user.pk), kind=LinkKind.SIGN_IN, reason=options["reason"]
            )
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"The link is on its way to {user.email}.")
