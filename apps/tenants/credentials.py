"""The text of a service token: how it is made, what of it is stored, how it is recognised. Pure.

`chp_1f2e3d4c_<secret>` is a product's, `chc_…` a cron token's. The middle part is the readable prefix under which staff
find the token; the secret has 256 random bits, so one SHA-256 is a sufficient hash (OWASP ASVS 5, 6.5.2).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from apps.tenants.enums import TokenKind

_TAGS = {TokenKind.PRODUCT: "chp", TokenKind.CRON: "chc"}
_FORM = re.compile(r"(?:chp|chc)_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", re.ASCII)
_LINK_FORM = re.compile(r"chl_[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A new token; its text is known only now."""

    text: str
    prefix: str
    token_hash: bytes


def token_make(kind: TokenKind) -> FreshToken:
    """A new token of the kind, with 256 bits from the system's random source."""
    prefix = f"{_TAGS[kind]}_{secrets.token_hex(4)}"
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    return FreshToken(text=text, prefix=prefix, token_hash=token_hash(text))


def link_token_make() -> str:
    """The secret part of a sign-in link's address, with 256 bits. Its tag is what the logs redact it by."""
    return f"chl_{secrets.token_urlsafe(32)}"


def is_link_token(text: str) -> bool:
    """Whether the text has the form of a link's secret; anything else needs no look-up."""
    return _LINK_FORM.fullmatch(text) is not None


def token_hash(text: str) -> bytes:
    """The hash that is stored instead of the token."""
    return hashlib.sha256(text.encode()).digest()


def token_prefix(text: str) -> str | None:
    """The readable prefix of a well-formed token; None for anything else, which needs no look-up."""
    return text[:12] if _FORM.fullmatch(text) else None


def is_same_hash(presented: bytes, stored: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(presented, stored)
