"""Creates the sample data and prints how to sign in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.backoffice.seeding.connectors import seed_connectors
from apps.backoffice.seeding.credits import seed_credits
from apps.backoffice.seeding.data import SEEDS
from apps.backoffice.seeding.demo import ensure_demo, fill_demo
from apps.backoffice.seeding.memberships import seed_membership_report
from apps.backoffice.seeding.payments import seed_payments
from apps.backoffice.seeding.reports import seed_reports
from apps.backoffice.seeding.subscriptions import seed_plans, seed_subscriptions
from apps.backoffice.seeding.tenants import seed_staff, seed_tenants
from apps.core import clock
from apps.reporting.services.rollups import rollups_refresh
from apps.tenants.access import console_context

SAMPLE_PASSWORD = "correct-horse-sample"  # noqa: S105 - of sample people only; refused in production


# Older than anything that the sample tells.
BEGAN_AGO = timedelta(days=90)


class Command(BaseCommand):
    help = "Create sample organizations, people and products. You can run it again; it changes nothing that exists."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError(
                "The sample people have a public password, so this command does not run with DJANGO_ENV=production."
            )
        context = console_context()
        with clock.as_of(clock.now() - BEGAN_AGO):
            seed_tenants(context, password=SAMPLE_PASSWORD)
            demo = ensure_demo(context)
            seed_plans(context)
        seed_payments(context)
        seed_subscriptions(context)
        seed_credits(context)
        seed_connectors(context)
        fill_demo(context, demo)
        seed_membership_report(context)
        seed_staff(context, password=SAMPLE_PASSWORD)
        rollups_refresh(context)
        seed_reports(context)
        self.stdout.write(self._sign_ins())

    def _sign_ins(self) -> str:
        staff = "\n".join(f"    {person.email:34} {person.role.label}" for person in SEEDS.staff)
        people = "\n".join(f"    {person.email:34} {person.name}" for person in SEEDS.users if person.can_sign_in)
        return (
            f"Sample sign-ins, all with the password {SAMPLE_PASSWORD}\n"
            f"  Staff, at /admin/ (second factor: manage.py staff_code EMAIL prints a code)\n{staff}\n"
            f"  Tenants\n{people}"
        )
