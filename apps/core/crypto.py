"""Seals secrets for the database: AES-256-GCM, bound to their record, under one of several keys (spec 06, Credentials).

A sealed value says in clear which key it is under, and nothing else. Its associated data are the record it belongs to
and the field it stands in, so that a value moved to another row or field does not open. Keys come from the setting
`CREDENTIAL_KEYS`, newest first: the newest seals, all of them open. Nothing here ever falls back to plain text.

Sealed value: version (1 byte) | key id (8 bytes) | nonce (12 bytes) | ciphertext and tag (16 bytes more than the text).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_VERSION = b"\x01"
_KEY_ID_BYTES, _NONCE_BYTES, _KEY_BYTES, _TAG_BYTES = 8, 12, 32, 16
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES
_DOMAIN = b"countinghouse sealed value\x00"


class SealError(Exception):
    """A value can't be sealed or opened. The sentence never holds the value, nor the key."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a sealed value belongs: the record's type and id, and the field."""

    record: str
    record_id: UUID
    field: str

    def associated_data(self, header: bytes) -> bytes:
        """What is authenticated beside the value. Lengths stand before the texts, so that no two places read alike."""
        parts = (self.record.encode(), self.record_id.bytes, self.field.encode())
        return _DOMAIN + header + b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def seal(text: str, binding: Binding) -> bytes:
    """The text under the newest key, for this one place. Raises `SealError` without a key."""
    key_id = newest_key_id()
    header = _VERSION + bytes.fromhex(key_id)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return header + nonce + _keys()[key_id].encrypt(nonce, text.encode(), binding.associated_data(header))


def open_sealed(sealed: bytes, binding: Binding) -> str:
    """The text again. Raises `SealError` for an unknown key, another place, or a changed value."""
    if len(sealed) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
        raise SealError("This is no sealed value of ours.")
    cipher = _keys().get(key_id_of(sealed))
    if cipher is None:
        raise SealError(
            f"The key {key_id_of(sealed)} is not among CREDENTIAL_KEYS; put it back until nothing needs it."
        )
    header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
    try:
        return cipher.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], binding.associated_data(header)).decode()
    except (InvalidTag, UnicodeDecodeError):
        # Without the cause, whose traceback would show the values.
        raise SealError("The sealed value was changed, or belongs to another record.") from None


def key_id_of(sealed: bytes) -> str:
    """The id of the key that the value is under, as hexadecimal digits."""
    return sealed[len(_VERSION) : _HEADER_BYTES].hex()


def newest_key_id() -> str:
    """The id of the key that seals now. Raises `SealError` without a key."""
    return next(iter(_keys()))


def configured_key_ids() -> frozenset[str]:
    """The ids of the keys that open sealed values. Raises `SealError` without a key."""
    return frozenset(_keys())


def authentication_code(message: bytes, *, purpose: str, key_id: str) -> str:
    """The HMAC-SHA256 of a message, as hexadecimal digits, by a key that is derived for this purpose alone.

    Raises `SealError` where the key of this id is not among CREDENTIAL_KEYS.
    """
    for position, text in enumerate(_texts(), start=1):
        key = _decoded(text, position)
        if _id_of(key) == key_id:
            derived = hmac.digest(key, _DOMAIN + purpose.encode(), "sha256")
            return hmac.new(derived, message, "sha256").hexdigest()
    raise SealError(f"The key {key_id} is not among CREDENTIAL_KEYS; put it back for as long as something needs it.")


def _texts() -> tuple[str, ...]:
    texts: Sequence[str] = getattr(settings, "CREDENTIAL_KEYS", ())
    return tuple(texts)


def _keys() -> Mapping[str, AESGCM]:
    return keyring(_texts())


def _id_of(key: bytes) -> str:
    return hashlib.sha256(_DOMAIN + key).digest()[:_KEY_ID_BYTES].hex()


@lru_cache(maxsize=8)
def keyring(texts: tuple[str, ...]) -> Mapping[str, AESGCM]:
    """Each key by its id, newest first. Raises `SealError` when there is none, or one that is no key."""
    if not texts:
        raise SealError("CREDENTIAL_KEYS is empty: without a key no credential is stored or read.")
    ciphers: dict[str, AESGCM] = {}
    for position, text in enumerate(texts, start=1):
        key = _decoded(text, position)
        ciphers.setdefault(_id_of(key), AESGCM(key))
    return MappingProxyType(ciphers)


def _decoded(text: str, position: int) -> bytes:
    try:
        key = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise SealError(f"CREDENTIAL_KEYS: key {position} is not base64url text of {_KEY_BYTES} bytes.")
    return key
