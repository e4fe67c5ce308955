"""Gives a person a platform role and a password; the second factor is enrolled at the first sign-in."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.enums import Role
from apps.core.errors import CountinghouseError
from apps.core.operations import PLATFORM_LADDER
from apps.tenants.access import console_context
from apps.tenants.services import staff_create


class Command(BaseCommand):
    help = (
        "Make a person staff with one platform role. The password is asked for, or read from STAFF_PASSWORD; without "
        "a terminal and without it, one is made and printed alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")
        parser.add_argument("--role", required=True, choices=[role.value for role in PLATFORM_LADDER])
        parser.add_argument("--reason", default="created on the console")

    def handle(self, *args: Any, **options: Any) -> None:
        password, is_made = self._password()
        try:
            staff_create(
                console_context(),
                email=options["email"],
                name=options["name"],
                role=Role(options["role"]),
                password=password,
                reason=options["reason"],
            )
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        if is_made:
            self.stdout.write(password)

    def _password(self) -> tuple[str, bool]:
        given = os.environ.get("STAFF_PASSWORD", "")
        if given:
            return given, False
        if sys.stdin.isatty():
            return getpass.getpass("Password (at least 12 characters): "), False
        return secrets.token_urlsafe(18), True
