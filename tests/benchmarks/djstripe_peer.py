"""dj-stripe in its own environment: signed webhooks through Django's test client, in one process.

It stands as well as it can: no middleware, its account and key made beforehand, and a kind of event that it merely
keeps, because for the others it calls Stripe before it answers.
"""

from __future__ import annotations

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command

KEY = "sk_test_ofthebenchalone0123456789"
settings.configure(
    SECRET_KEY="of-the-bench-alone",
    ALLOWED_HOSTS=["localhost"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "djstripe"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PEER_DATABASE"],
            "USER": os.environ["PEER_USER"],
            "HOST": os.environ["PEER_HOST"],
            "CONN_MAX_AGE": None,
        }
    },
    ROOT_URLCONF="djstripe.urls",
    MIDDLEWARE=[],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
    STRIPE_TEST_SECRET_KEY=KEY,
    STRIPE_LIVE_MODE=False,
)
django.setup()

from django.test import Client  # noqa: E402 - needs the settings
from djstripe.models import (  # type: ignore[import-not-found]  # noqa: E402
    Account,
    APIKey,
    Event,
    WebhookEndpoint,
    WebhookEventTrigger,
)

sys.path.insert(0, os.environ["PEER_TURNS"])
import signed_events  # type: ignore[import-not-found]  # noqa: E402
import turns  # type: ignore[import-not-found]  # noqa: E402

call_command("migrate", verbosity=0, interactive=False)
account = Account.objects.create(id="acct_bench", livemode=False)
APIKey.objects.create(
    id="key_bench",
    type="secret",
    secret=KEY,
    livemode=False,
    djstripe_owner_account=account,
)
endpoint = WebhookEndpoint.objects.create(
    id="we_bench",
    secret=signed_events.SECRET,
    enabled_events=["*"],
    status="enabled",
    url="https://bench.example/",
    livemode=False,
    djstripe_owner_account=account,
)
client = Client(headers={"host": "localhost"})
events = signed_events.SignedEvents("balance.available")


def post(body: bytes, headers: dict[str, str]) -> None:
    """Deliver one event; an error where it is not accepted."""
    path = f"/webhook/{endpoint.djstripe_uuid}/"
    answer = client.post(path, body, content_type="application/json", headers=headers)
    if answer.status_code != 200:
        raise RuntimeError(f"dj-stripe answered {answer.status_code}")


post(*events.known())
turns.serve(
    {"new": lambda: post(*events.fresh()), "duplicate": lambda: post(*events.known())},
    rows=lambda: WebhookEventTrigger.objects.count() + Event.objects.count(),
)
