"""django-hordak in its own environment: transfers between accounts, in one process."""

from __future__ import annotations

import itertools
import os
import sys

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    SECRET_KEY="of-the-bench-alone",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "mptt", "hordak"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PEER_DATABASE"],
            "USER": os.environ["PEER_USER"],
            "HOST": os.environ["PEER_HOST"],
            "CONN_MAX_AGE": None,
        }
    },
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from hordak.models import Account  # type: ignore[import-not-found]  # noqa: E402 - needs the settings
from moneyed import Money  # type: ignore[import-not-found]  # noqa: E402

sys.path.insert(0, os.environ["PEER_TURNS"])
import turns  # type: ignore[import-not-found]  # noqa: E402

call_command("migrate", verbosity=0, interactive=False)
accounts = [
    Account.objects.create(name=f"Account {number}", code=f"{number:04d}", type="AS", currencies=["EUR"])
    for number in range(int(os.environ["PEER_SIZE"]))
]
pairs = itertools.cycle(zip(accounts, [*accounts[1:], accounts[0]], strict=True))


def transfer() -> None:
    """One transfer, as its users write it."""
    source, target = next(pairs)
    source.transfer_to(target, Money(1, "EUR"))


turns.serve({"transfer": transfer})
