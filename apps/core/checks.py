"""System checks: what must be right before anything starts."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS

from apps.core.crypto import SealError, keyring
from apps.core.postgresql.limits import LIMITS, Work
from apps.core.postgresql.probe import ForgetfulPoolerError, connect_as_django, find_forgetful_pooler, in_one_line


def credential_keys_are_usable(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Refuse to start without a key for the credentials, or with one that is no key (spec 06, Credentials)."""
    try:
        keyring(tuple(getattr(settings, "CREDENTIAL_KEYS", ())))
    except SealError as error:
        hint = "Set CREDENTIAL_KEYS to base64url text of 32 random bytes; several are comma-separated, newest first."
        return [Error(str(error), hint=hint, id="core.E001")]
    return []


def database_is_usable(
    app_configs: Sequence[Any] | None = None, databases: Sequence[str] | None = None, **options: Any
) -> list[CheckMessage]:
    """With `--database`: prepared statements survive on the way, and somebody limits the time of what we do there."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        find_forgetful_pooler(connect_as_django)
        return _missing_timeouts()
    except ForgetfulPoolerError as error:
        return [Error(str(error), id="core.E002")]
    except psycopg.Error as error:
        hint = "Start PostgreSQL, or correct DATABASE_URL."
        return [Error(f"The database can't be used: {in_one_line(error)}.", hint=hint, id="core.E003")]


def _missing_timeouts() -> list[CheckMessage]:
    wanted = [name for name, value in LIMITS[Work(settings.KIND_OF_WORK)].settings.items() if value != "0"]
    with contextlib.closing(connect_as_django()) as raw:
        missing = [name for name in wanted if raw.execute(f"SHOW {name}").fetchone() == ("0",)]
    if not missing:
        return []
    return [
        CheckWarning(
            f"Nothing limits how long a statement may keep the database: {', '.join(missing)} is not set.",
            hint="The pooler drops what a connection asks for. Run manage.py database_roles and use its roles.",
            id="core.W001",
        )
    ]
