"""Talks to the identity service: its metadata, its keys, the exchange of a code."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from apps.core import clock
from apps.core.outgoing import Answer, Call, OutgoingError, RefusedAddressError, outgoing_call
from apps.tenants.oidc.refusals import OidcError, OidcRefusal

_SECONDS = 15
_LARGEST_ANSWER = 512 * 1024
_REMEMBERED_FOR = timedelta(hours=1)
# A token may name a key that we don't know yet, or one that was made up: asked for anew, but not at everybody's wish.
_KEYS_ASKED_AT_MOST_EVERY = timedelta(minutes=1)
_KEYS_AT_MOST = 50
_OK = 200

Key = RSAKey | ECKey


@dataclass(frozen=True, slots=True)
class Metadata:
    """The part of the provider metadata that a sign-in needs."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    keys_address: str
    is_secret_in_body: bool
    names_issuer: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """The answer of the token endpoint."""

    id_token: str
    access_token: str

    def __repr__(self) -> str:
        return "Tokens(…)"


class _Memory:
    """What this process knows of the service. Threads may race for it: one question more is no matter."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.metadata: tuple[Metadata, datetime] | None = None
        self.keys: tuple[list[Key], datetime] | None = None

    def clear(self) -> None:
        with self.lock:
            self.metadata = self.keys = None


memory = _Memory()


def is_configured() -> bool:
    """Whether people sign in through an identity service here."""
    return bool(settings.OIDC_ISSUER)


def is_open_to_staff() -> bool:
    """Whether staff may sign in through it too."""
    return is_configured() and bool(settings.STAFF_OIDC)


def metadata() -> Metadata:
    """The service's metadata, asked once an hour. Raises `OidcError`."""
    known, now = memory.metadata, clock.real_now()
    if known is not None and known[0].issuer == settings.OIDC_ISSUER and now < known[1] + _REMEMBERED_FOR:
        return known[0]
    address = f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration"
    read = _read_metadata(_read_json(_send(Call(address, is_guarded=False, seconds=_SECONDS))))
    memory.metadata = read, now
    return read


def _read_metadata(said: Mapping[str, Any]) -> Metadata:
    if said.get("issuer") != settings.OIDC_ISSUER:
        raise OidcError(OidcRefusal.UNAVAILABLE, "the metadata name another issuer than OIDC_ISSUER")
    methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Metadata(
        issuer=settings.OIDC_ISSUER,
        authorization_endpoint=_address(said, "authorization_endpoint"),
        token_endpoint=_address(said, "token_endpoint"),
        keys_address=_address(said, "jwks_uri"),
        is_secret_in_body="client_secret_basic" not in methods,
        names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(said: Mapping[str, Any], name: str) -> str:
    """An address of the metadata; a service with https has no parts without it."""
    address = said.get(name)
    schemes = {"https", urlsplit(settings.OIDC_ISSUER).scheme}
    if not isinstance(address, str) or urlsplit(address).scheme not in schemes:
        raise OidcError(OidcRefusal.UNAVAILABLE, f"the metadata have no usable {name}")
    return address


def keys_for(key_id: str | None) -> list[Key]:
    """The keys that may have signed: those that the token names, or all where it names none. Raises `OidcError`.

    Several kinds of key may share a name (RFC 7517, 4.5).
    """
    known, now = memory.keys, clock.real_now()
    if known is None or now >= known[1] + _REMEMBERED_FOR:
        known = _fetch_keys(now)
    return [key for key in known[0] if key_id is None or key.kid == key_id]


def refresh_keys() -> bool:
    """Ask for the keys anew, since a token did not fit those that we know; False where we asked a moment ago."""
    known, now = memory.keys, clock.real_now()
    if known is not None and now < known[1] + _KEYS_ASKED_AT_MOST_EVERY:
        return False
    _fetch_keys(now)
    return True


def _fetch_keys(now: datetime) -> tuple[list[Key], datetime]:
    said = _read_json(_send(Call(metadata().keys_address, is_guarded=False, seconds=_SECONDS)))
    listed = said.get("keys")
    published = listed[:_KEYS_AT_MOST] if isinstance(listed, list) else []
    keys = [key for each in published for key in _read_usable_keys(each)]
    if not keys:
        raise OidcError(OidcRefusal.UNAVAILABLE, "the service publishes no key that we can use")
    memory.keys = keys, now
    return keys, now


def _read_usable_keys(published: object) -> list[Key]:
    """The key, or nothing for one that is not for us: one of them must not spoil the others (RFC 7517, 5).

    A symmetric key has no place among published ones; one that is for encryption signs nothing.
    """
    if not isinstance(published, dict) or published.get("kty") not in {"RSA", "EC"}:
        return []
    if published.get("use", "sig") != "sig":
        return []
    try:
        key = import_key(published)
    except (JoseError, ValueError, TypeError, KeyError):
        return []
    return [key] if isinstance(key, RSAKey | ECKey) else []


def exchange_code(*, code: str, verifier: str, redirect_uri: str) -> Tokens:
    """What the code stands for, asked once: a code is good for one question. Raises `OidcError`."""
    about = metadata()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    headers: dict[str, str] = {}
    if about.is_secret_in_body:
        form |= {"client_id": settings.OIDC_CLIENT_ID, "client_secret": settings.OIDC_CLIENT_SECRET}
    else:
        # Both parts in the form of a form (RFC 6749, 2.3.1).
        pair = f"{quote(settings.OIDC_CLIENT_ID, safe='')}:{quote(settings.OIDC_CLIENT_SECRET, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    call = Call(
        about.token_endpoint,
        form=form,
        secret_headers=headers,
        is_guarded=False,
        is_repeatable=False,
        seconds=_SECONDS,
        largest_body=_LARGEST_ANSWER,
    )
    said = _read_json(_send(call))
    id_token, access_token = said.get("id_token"), said.get("access_token", "")
    if not isinstance(id_token, str) or not isinstance(access_token, str):
        raise OidcError(OidcRefusal.BAD_TOKEN, "the answer holds no ID token")
    return Tokens(id_token, access_token)


def _send(call: Call) -> Answer:
    try:
        answer = outgoing_call(call)
    except (OutgoingError, RefusedAddressError) as error:
        raise OidcError(OidcRefusal.UNAVAILABLE, str(error)) from None
    if answer.is_worth_repeating:
        raise OidcError(OidcRefusal.UNAVAILABLE, f"the service answers {answer.status}")
    if answer.status != _OK:
        refusal = OidcRefusal.PROVIDER_ERROR if call.form is not None else OidcRefusal.UNAVAILABLE
        raise OidcError(refusal, f"the service answers {answer.status}")
    return answer


def _read_json(answer: Answer) -> Mapping[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise OidcError(OidcRefusal.UNAVAILABLE, "the answer is no JSON object")
    return said
