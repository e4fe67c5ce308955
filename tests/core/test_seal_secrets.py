"""Sealed values open in their own place alone, under a key that is configured (spec 06, Credentials)."""

from __future__ import annotations

import base64
import itertools
import secrets
import uuid

import pytest
from pytest_django.fixtures import Settings

from apps.core.checks import credential_keys_are_usable
from apps.core.crypto import Binding, SealError, key_id_of, newest_key_id, open_sealed, seal

TEXT = "rk_live_a-secret-of-tests"
PLACE = Binding("connector", uuid.UUID(int=7), "api_key")


def fresh_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def test_a_sealed_value_opens_in_its_place_and_shows_nothing() -> None:
    sealed = seal(TEXT, PLACE)
    assert open_sealed(sealed, PLACE) == TEXT
    assert TEXT.encode() not in sealed
    assert seal(TEXT, PLACE) != sealed
    assert key_id_of(sealed) == newest_key_id()


@pytest.mark.parametrize(
    "other",
    [
        Binding("connector", uuid.UUID(int=8), "api_key"),
        Binding("connector", uuid.UUID(int=7), "oauth"),
        Binding("connectors", uuid.UUID(int=7), "api_key"),
    ],
)
def test_it_opens_nowhere_else(other: Binding) -> None:
    with pytest.raises(SealError, match="changed, or belongs to another record"):
        open_sealed(seal(TEXT, PLACE), other)


def test_no_changed_byte_opens() -> None:
    sealed = seal(TEXT, PLACE)
    for position, bit in itertools.product(range(len(sealed)), (1, 128)):
        changed = bytearray(sealed)
        changed[position] ^= bit
        with pytest.raises(SealError):
            open_sealed(bytes(changed), PLACE)
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            open_sealed(sealed[:length], PLACE)


def test_an_older_key_still_opens_and_the_newest_seals(settings: Settings) -> None:
    old, new = fresh_key(), fresh_key()
    settings.CREDENTIAL_KEYS = (old,)
    sealed = seal(TEXT, PLACE)
    settings.CREDENTIAL_KEYS = (new, old)
    assert open_sealed(sealed, PLACE) == TEXT
    assert key_id_of(seal(TEXT, PLACE)) != key_id_of(sealed)
    settings.CREDENTIAL_KEYS = (new,)
    with pytest.raises(SealError, match=f"The key {key_id_of(sealed)} is not among CREDENTIAL_KEYS"):
        open_sealed(sealed, PLACE)


@pytest.mark.parametrize("keys", [(), ("short",), (fresh_key(), "not base64!")])
def test_without_a_usable_key_nothing_is_sealed_and_nothing_starts(settings: Settings, keys: tuple[str, ...]) -> None:
    settings.CREDENTIAL_KEYS = keys
    with pytest.raises(SealError):
        seal(TEXT, PLACE)
    (problem,) = credential_keys_are_usable()
    assert problem.id == "core.E001"
    assert all(key not in str(problem) for key in keys)


def test_with_a_key_the_check_is_silent() -> None:
    assert credential_keys_are_usable() == []
