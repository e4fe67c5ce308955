"""System checks: what must be right before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from apps.core.crypto import SealError, keyring


def credential_keys_are_usable(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Refuse to start without a key for the credentials, or with one that is no key (spec 06, Credentials)."""
    try:
        keyring(tuple(getattr(settings, "CREDENTIAL_KEYS", ())))
    except SealError as error:
        hint = "Set CREDENTIAL_KEYS to base64url text of 32 random bytes; several are comma-separated, newest first."
        return [Error(str(error), hint=hint, id="core.E001")]
    return []
