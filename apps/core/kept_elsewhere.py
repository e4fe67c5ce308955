"""Idempotency keys that are kept with their effect instead of in the store (spec 05, No double charge)."""

from __future__ import annotations

from collections.abc import Callable

from apps.core.models import IdempotencyRecord
from apps.core.registry import Registry

Find = Callable[[str, str], IdempotencyRecord | None]
_finders: Registry[Find] = Registry("finder of keys")


def register_kept_keys(name: str, find: Find) -> None:
    """Have `find` asked, with scope and key and in the key's lock, before the store takes a new key.

    It returns a record that is not stored, without a hash: the key was used for something else.
    """
    _finders.register(name, find)


def kept_elsewhere(scope: str, key: str) -> IdempotencyRecord | None:
    """What the key was used for outside of the store."""
    found = (find(scope, key) for find in _finders.values())
    return next((record for record in found if record is not None), None)
