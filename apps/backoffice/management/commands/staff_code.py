"""Prints the current one-time code of a sample staff member, so that you need no authenticator app."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.core import clock
from apps.core.emails import email_to_find
from apps.tenants.models import User


class Command(BaseCommand):
    help = "Print the current one-time code of a staff member (development and test only)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError("Not in production: use the person's own authenticator.")
        email = email_to_find(options["email"])
        device = TOTPDevice.objects.filter(user__email=email, user__is_staff=True, confirmed=True).first()
        if device is None:
            raise CommandError(_explain_missing(email))
        totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
        totp.time = clock.real_now().timestamp()
        self.stdout.write(f"{totp.token():0{device.digits}d}")


def _explain_missing(email: str) -> str:
    user = User.objects.filter(email=email).only("is_staff").first()
    if user is None:
        return f"Nobody here has the address {email}. Make a member of staff with: manage.py create_staff"
    if not user.is_staff:
        return f"{email} is no member of staff and signs in without a code, at /sign-in/."
    return f"{email} has no second factor yet. Set one up by signing in once."
