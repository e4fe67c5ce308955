"""Removes a staff member's second factor, for when no platform admin can sign in to do it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.backoffice.sign_in.second_factor import second_factor_remove
from apps.core.errors import CountinghouseError
from apps.core.ids import UserId
from apps.tenants.access import console_context
from apps.tenants.models import User


class Command(BaseCommand):
    help = (
        "Remove a staff member's authenticator and recovery codes; they set up new ones at the next sign-in. Check by "
        "phone or in person that the request is really theirs. The audit log records it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", required=True, help="saved in the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        user = User.objects.filter(email=email).first()
        if user is None:
            raise CommandError(f"There is no user with the e-mail address {email}.")
        if not options["reason"].strip():
            raise CommandError("--reason is empty. Give a reason; it is saved in the audit log.")
        try:
            second_factor_remove(console_context(), user_id=UserId(user.pk), reason=options["reason"])
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{email} sets up a new second factor at the next sign-in.")
