"""Sample staff, one for each platform role, with a second factor, so that you can sign in at once."""

from __future__ import annotations

from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.seeding.data import SEEDS
from apps.core.context import ExecutionContext
from apps.tenants.models import User
from apps.tenants.services import staff_create


def seed_staff(context: ExecutionContext, *, password: str) -> None:
    """Create the sample staff; existing accounts keep password and device."""
    for seed in SEEDS.staff:
        if User.objects.filter(email=seed.email, is_staff=True).exists():
            continue
        user = staff_create(
            context, email=seed.email, name=seed.name, role=seed.role, password=password, reason="sample data"
        ).record
        TOTPDevice.objects.create(user=user, name="sample", confirmed=True)
