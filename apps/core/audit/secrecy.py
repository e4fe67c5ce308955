"""Keeps secrets out of the audit log, which can never be cleaned afterwards.

A field whose name says that it holds a secret is refused: auditing it is a mistake in our code, found by its test. A
text that looks like a provider's key is replaced, because people type such things into names and reasons.
"""

from __future__ import annotations

import re

from apps.core.canonical import Plain

REDACTED = "[redacted]"

_SECRET_WORDS = frozenset(
    {"password", "passphrase", "secret", "secrets", "token", "tokens", "apikey", "credential", "credentials"}
    | {"authorization", "cookie", "ciphertext", "plaintext"}
)
_SECRET_PAIRS = ("api_key", "private_key", "secret_key", "access_key", "signing_key", "encryption_key")
# What may be told of a secret: which one, since when, and not what it is.
_TELLING_ENDS = ("_id", "_at", "_by", "_kind", "_name", "_prefix", "_count", "_days", "_seconds", "_scopes")
_SECRET_TEXT = re.compile(
    r"\b(?:sk|rk|pk)_(?:live|test)_\w+|\bwhsec_\w+|\bgh[pousr]_\w{20,}|\bxox[abprs]-[\w-]+"
    r"|\bBearer\s+[\w.~+/=-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*"
)


class SecretInAuditError(ValueError):
    """Somebody tried to write a secret into the audit log. The message names the field and never the value."""


def without_secrets(value: Plain, where: str) -> Plain:
    """`value` with key-like texts redacted; raises `SecretInAuditError` for a field whose name says secret."""
    match value:
        case str():
            return redact_text(value)
        case list():
            return [without_secrets(inner, f"{where}[]") for inner in value]
        case dict():
            return {key: _checked(key, inner, where) for key, inner in value.items()}
    return value


def redact_text(text: str) -> str:
    """`text` with everything that looks like a provider's key replaced."""
    return _SECRET_TEXT.sub(REDACTED, text)


def names_secret(field: str) -> bool:
    """Whether a field of this name holds a secret."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field).replace("-", "_").lower()
    if name.endswith(_TELLING_ENDS):
        return False
    return not _SECRET_WORDS.isdisjoint(name.split("_")) or any(pair in name for pair in _SECRET_PAIRS)


def _checked(key: str, value: Plain, where: str) -> Plain:
    # That there is none, or whether there is one, tells nothing.
    if names_secret(key) and not (value is None or isinstance(value, bool)):
        raise SecretInAuditError(f"{where}.{key} looks like a secret; audit its id, prefix or whether it is set.")
    return without_secrets(value, f"{where}.{key}")
