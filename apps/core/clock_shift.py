"""The test clock of a development: reading and moving its one row (spec 08, Test clock). It goes forward only."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction

from apps.core import clock
from apps.core.errors import ConflictError
from apps.core.models import ClockShift

# Every process has looked at the row again before the shift counts.
ANNOUNCED_BEFORE = timedelta(seconds=2)
# Keys that let real money or real customers in: their clock is the real one.
PROVIDER_KEYS = ("STRIPE_SECRET_KEY", "ORB_API_KEY", "SEGMENT_WRITE_KEY", "GOOGLE_CLIENT_ID")


def explain_missing_clock() -> str:
    """Why this installation has no test clock; empty where it has one."""
    if settings.ENVIRONMENT != "development":
        return f"There is a test clock with DJANGO_ENV=development alone; here it is {settings.ENVIRONMENT}."
    names = [name for name in PROVIDER_KEYS if getattr(settings, name, "")]
    names += [f"{name.upper()}_WEBHOOK_SECRETS" for name, secrets in settings.WEBHOOK_SECRETS.items() if secrets]
    if names:
        return f"There is no test clock beside a real provider. Unset {', '.join(names)} and start again."
    return ""


def read_shift() -> clock.Shift:
    """The row, over a connection of its own: no statement is added to a transaction that runs."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT ahead, before, since FROM core_clockshift")
            row = cursor.fetchone()
        return clock.Shift(*row) if row else clock.Shift()
    finally:
        own.close()


@transaction.atomic
def clock_advance(by: timedelta, *, seen: timedelta) -> ClockShift:
    """Put the clock forward; `seen` is how far it was ahead when the caller looked. Raises `ConflictError`."""
    row = ClockShift.objects.select_for_update().filter(pk=1).first()
    if (row.ahead if row else timedelta(0)) != seen:
        raise ConflictError("Somebody else has moved the clock meanwhile. Look at it with --show.")
    since = clock.real_now() + ANNOUNCED_BEFORE
    values = {"ahead": seen + by, "before": seen, "since": since}
    return ClockShift.objects.update_or_create(pk=1, defaults=values)[0]
