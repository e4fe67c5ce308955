"""Judges an ID token: its signature by the service's keys, then each claim (OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from apps.tenants.oidc.refusals import OidcError, OidcRefusal

# Signatures with the service's private key alone. Not `none`, and no HS: its key would be one that others know.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
# How far two clocks may differ.
LEEWAY_SECONDS = 60
_LONGEST_TOKEN = 16_384
_END_OF_TIME = 10**12
_LONGEST_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must say. `now` is in seconds since 1970."""

    issuer: str
    client_id: str
    nonce: str
    now: int
    access_token: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A token with a valid signature."""

    algorithm: str
    claims: Mapping[str, Any]


def read_key_id(token: str) -> str | None:
    """Which key the token says it is signed with; None where it does not say. Not to be believed, only looked up."""
    raw = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise _invalid("the ID token can't be read")
    key_id = header.get("kid")
    return key_id if isinstance(key_id, str) else None


def verify_signature(token: str, keys: Sequence[RSAKey | ECKey]) -> Signed:
    """The token's claims, if one of the keys signed it with an algorithm of the list. Raises `OidcError`."""
    if len(token) > _LONGEST_TOKEN or token.count(".") != 2:  # noqa: PLR2004 - header, claims, signature
        raise _invalid("the ID token is no signed token")
    for key in keys:
        try:
            decoded = jwt.decode(token, key, registry=JWSRegistry(algorithms=list(ALGORITHMS)))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        return Signed(str(decoded.header["alg"]), decoded.claims)
    raise _invalid("no published key has signed the ID token")


def read_subject(signed: Signed, expected: Expected) -> str:
    """Who signed in, once every claim is as expected. Raises `OidcError` that names the first claim that is not."""
    for check in (_issuer, _audience, _times, _nonce, _access_token):
        fact = check(signed, expected)
        if fact:
            raise _invalid(fact)
    subject = signed.claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise _invalid("sub is missing")
    return subject


def proves_second_factor(claims: Mapping[str, Any], proof: tuple[str, str]) -> bool:
    """Whether the claim that the setting names says what it asks for: `amr` is a list (RFC 8176), `acr` one text."""
    name, wanted = proof
    said = claims.get(name)
    return isinstance(said, list) and wanted in said if name == "amr" else said == wanted


def _issuer(signed: Signed, expected: Expected) -> str:
    return "" if signed.claims.get("iss") == expected.issuer else "iss is another issuer"


def _audience(signed: Signed, expected: Expected) -> str:
    given, authorized = signed.claims.get("aud"), signed.claims.get("azp")
    audiences = [given] if isinstance(given, str) else given
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        return "aud is another client"
    # A token for several clients must have been issued to us.
    if authorized != expected.client_id and (authorized is not None or len(audiences) > 1):
        return "azp is another client"
    return ""


def _times(signed: Signed, expected: Expected) -> str:
    times = {}
    for name in ("exp", "iat", "nbf"):
        value = signed.claims.get(name)
        # A boolean is a number to Python; NaN and infinities compare with nothing.
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _END_OF_TIME:
            times[name] = value
        elif value is not None or name != "nbf":
            return f"{name} is no time"
    if expected.now >= times["exp"] + LEEWAY_SECONDS:
        return "exp is over"
    ahead = [name for name in ("iat", "nbf") if times.get(name, 0) > expected.now + LEEWAY_SECONDS]
    return f"{ahead[0]} is in the future" if ahead else ""


def _nonce(signed: Signed, expected: Expected) -> str:
    return "" if _is_same(signed.claims.get("nonce"), expected.nonce) else "nonce is another sign-in's"


def _access_token(signed: Signed, expected: Expected) -> str:
    given = signed.claims.get("at_hash")
    if given is None:
        return ""
    digest = _HASHES[signed.algorithm[-3:]](expected.access_token.encode()).digest()
    wanted = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    return "" if _is_same(given, wanted) else "at_hash differs"


def _is_same(given: object, wanted: str) -> bool:
    """In constant time. What is not ASCII may hold half a character, which no encoding takes."""
    return isinstance(given, str) and given.isascii() and hmac.compare_digest(given, wanted)


def _invalid(fact: str) -> OidcError:
    return OidcError(OidcRefusal.BAD_TOKEN, fact)
