"""ID tokens that prove nothing: each claim that is wrong, each signature that does not hold (spec 02)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from django.test import Client
from joserfc.jwk import ECKey, RSAKey

from apps.core import clock
from tests.factories.tenants import make_user
from tests.tenants.identity_service import (
    CLIENT_ID,
    CLIENT_SECRET,
    OTHER,
    RSA,
    IdentityService,
    begin,
    come_back,
    half_hash,
    is_signed_in,
    signed,
    truth,
)
from tests.tenants.identity_service import service as service  # noqa: PLC0414 - a fixture of this module

pytestmark = pytest.mark.django_db

NOW = "now"
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://evil.example"},
    "issuer with a slash": {"iss": "SLASH"},
    "no issuer": {"iss": None},
    "audience": {"aud": "another"},
    "audiences": {"aud": ["another", "third"]},
    "no audience": {"aud": None},
    "an audience that is no text": {"aud": {CLIENT_ID: True}},
    "several audiences without azp": {"aud": [CLIENT_ID, "another"]},
    "azp": {"azp": "another"},
    "expired": {"exp": (NOW, -61)},
    "no end": {"exp": None},
    "an end that is text": {"exp": "2999-01-01"},
    "an end that is true": {"exp": True},
    "an end beyond all time": {"exp": 1e300},
    "no beginning": {"iat": None},
    "issued in the future": {"iat": (NOW, 120)},
    "not valid yet": {"nbf": (NOW, 120)},
    "nonce": {"nonce": "of another sign-in"},
    "no nonce": {"nonce": None},
    "a nonce that is a list": {"nonce": ["x"]},
    "half a character as nonce": {"nonce": "\ud800"},
    "half a character as at_hash": {"at_hash": "\ud800"},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "a subject beyond all length": {"sub": "x" * 256},
    "at_hash": {"at_hash": half_hash("another")},
    "at_hash that is a number": {"at_hash": 5},
}


def resolved(service: IdentityService, changes: dict[str, Any]) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    return {
        name: f"{service.issuer}/" if value == "SLASH" else now + value[1] if isinstance(value, tuple) else value
        for name, value in changes.items()
    }


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_a_claim_that_is_not_as_it_must_be(service: IdentityService, changes: dict[str, Any]) -> None:
    user, client = make_user(), Client()
    sent, before = begin(client), truth()
    claims = service.claims(user, sent["nonce"], **resolved(service, changes))
    service.token = by_hand({"alg": "RS256", "kid": "rsa-1"}, claims, with_our_key)
    answer = come_back(client, code="x", state=sent["state"])
    assert (answer.status_code, "answer of the identity service is not valid" in answer.content.decode()) == (403, True)
    assert not is_signed_in(client)
    assert truth() == before


def by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """What no library makes."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = base64.urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"=")
    return b".".join([*parts, signature]).decode()


def by_secret(secret: bytes) -> Callable[[dict[str, Any]], str]:
    header = {"alg": "HS256", "kid": "rsa-1"}
    return lambda claims: by_hand(header, claims, lambda text: hmac.digest(secret, text, "sha256"))


def with_our_key(text: bytes) -> bytes:
    assert RSA.private_key is not None
    return bytes(RSA.private_key.sign(text, padding.PKCS1v15(), hashes.SHA256()))


BAD_TOKENS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "unsigned": lambda claims: by_hand({"alg": "none"}, claims, lambda text: b""),
    "unsigned, spelt otherwise": lambda claims: by_hand({"alg": "nOnE"}, claims, lambda text: b""),
    "unsigned, without saying so": lambda claims: by_hand({}, claims, lambda text: b""),
    "signed with the public key as a secret": by_secret(RSA.as_pem(private=False)),
    "signed with the client's secret": by_secret(CLIENT_SECRET.encode()),
    "by another key of the same name": lambda claims: signed(claims, OTHER),
    "by a key of another name": lambda claims: signed(claims, RSAKey.generate_key(2048, {"kid": "rsa-9"})),
    "by a key that it brings along": lambda claims: signed(claims, OTHER, jwk=OTHER.as_dict(private=False)),
    "of another algorithm than its key": lambda claims: signed(
        claims, ECKey.generate_key("P-256", {"kid": "rsa-1"}), "ES256"
    ),
    "changed after signing": lambda claims: signed(claims)[:-6] + "AAAAAA",
    "cut": lambda claims: signed(claims).rpartition(".")[0],
    "empty": lambda claims: "",
    "no token at all": lambda claims: "a.b.c",
    "beyond all length": lambda claims: signed(claims) + "A" * 20_000,
    "a number": lambda claims: 5,
    "missing": lambda claims: None,
    "a critical header that nobody knows": lambda claims: by_hand(
        {"alg": "RS256", "kid": "rsa-1", "crit": ["x"], "x": 1}, claims, with_our_key
    ),
}


@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_a_token_that_proves_nothing(service: IdentityService, make: Callable[[dict[str, Any]], Any]) -> None:
    user, client = make_user(), Client()
    sent, before = begin(client), truth()
    service.token = make(service.claims(user, sent["nonce"]))
    assert come_back(client, code="x", state=sent["state"]).status_code == 403
    assert not is_signed_in(client)
    assert truth() == before


def test_a_right_token_of_this_make_is_taken(service: IdentityService) -> None:
    """The control of the table above: by hand and in order, the same answer lets in."""
    user, client = make_user(), Client()
    sent = begin(client)
    service.token = by_hand({"alg": "RS256", "kid": "rsa-1"}, service.claims(user, sent["nonce"]), with_our_key)
    assert come_back(client, code="x", state=sent["state"]).status_code == 302
    assert is_signed_in(client)
