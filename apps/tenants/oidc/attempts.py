"""One sign-in through the identity service: the way there, and the answer judged. Signs nobody in.

Two doors lead there, for tenants and for staff. Each remembers its attempts apart and has a callback of its own, so
that an answer that was asked for at one door opens nothing at the other.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from apps.core import clock
from apps.core.mails import public_address
from apps.tenants.models import User
from apps.tenants.oidc.id_token import Expected, Signed, read_key_id, read_subject, verify_signature
from apps.tenants.oidc.provider import exchange_code, is_configured, keys_for, metadata, refresh_keys
from apps.tenants.oidc.refusals import OidcError, OidcRefusal

# Several tabs may be on their way at once.
_ATTEMPTS_AT_MOST = 5
_ATTEMPT_LASTS = timedelta(minutes=10)
_LONGEST_CODE = 4096


@dataclass(frozen=True, slots=True)
class Door:
    """Where the session keeps the attempts of this door, and the route that their answers come back to."""

    session_key: str
    callback: str

    @property
    def redirect_uri(self) -> str:
        """The callback's address, as registered at the identity service."""
        return public_address(reverse(self.callback))


@dataclass(frozen=True, slots=True)
class Answer:
    """Who signed in at the service, all that its token says, and the page that was wanted."""

    subject: str
    claims: Mapping[str, Any]
    wanted: str


def set_out(request: HttpRequest, door: Door, wanted: str, **more: str) -> str:
    """The address at the identity service, with a fresh state, nonce and PKCE challenge that this session remembers.

    `more` are further parameters. Raises `OidcError`.
    """
    endpoint = metadata().authorization_endpoint
    state, nonce, verifier = generate_token(32), generate_token(32), generate_token(64)
    challenge: str = create_s256_code_challenge(verifier)  # type: ignore[no-untyped-call]
    attempts = dict(request.session.get(door.session_key) or {})
    attempts[state] = {"nonce": nonce, "verifier": verifier, "next": wanted, "at": clock.real_now().isoformat()}
    request.session[door.session_key] = dict(list(attempts.items())[-_ATTEMPTS_AT_MOST:])
    query = urlencode(
        {
            "response_type": "code",
            "client_id": settings.OIDC_CLIENT_ID,
            "redirect_uri": door.redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
    )
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


def come_back(request: HttpRequest, door: Door) -> Answer:
    """What the service answered, once all of it is verified. Raises `OidcError`."""
    attempt = _take_attempt(request, door)
    signed, expected = _read_answer(request, door, attempt)
    return Answer(read_subject(signed, expected), signed.claims, attempt["next"])


def user_of(subject: str) -> User:
    """The user whose id is the subject. A sign-in creates no user. Raises `OidcError`."""
    try:
        user_id = uuid.UUID(subject)
    except ValueError:
        raise OidcError(OidcRefusal.UNKNOWN_PERSON, "sub is no id of ours") from None
    # One spelling, as everywhere in our contract: other ones would be other subjects to the identity service.
    user = User.objects.filter(pk=user_id).first() if str(user_id) == subject else None
    if user is None:
        raise OidcError(OidcRefusal.UNKNOWN_PERSON, "nobody here has the subject as id")
    if not user.is_active:
        raise OidcError(OidcRefusal.DEACTIVATED, f"user {user.pk} is deactivated")
    return user


def _take_attempt(request: HttpRequest, door: Door) -> dict[str, Any]:
    """The attempt that the answer's state stands for; taken out, so that each state is good for one answer."""
    state = request.GET.get("state", "")
    attempts = dict(request.session.get(door.session_key) or {}) if is_configured() else {}
    found = [known for known in attempts if hmac.compare_digest(known.encode(), state.encode())]
    if not found:
        raise OidcError(OidcRefusal.NOT_BEGUN, "the state is not one of this session")
    attempt: dict[str, Any] = attempts.pop(found[0])
    request.session[door.session_key] = attempts
    if clock.real_now() >= datetime.fromisoformat(attempt["at"]) + _ATTEMPT_LASTS:
        raise OidcError(OidcRefusal.LATE, "the attempt is too old")
    return attempt


def _read_answer(request: HttpRequest, door: Door, attempt: dict[str, Any]) -> tuple[Signed, Expected]:
    """The order matters: an answer of another issuer is not even asked for its error (RFC 9207)."""
    issuer = request.GET.get("iss")
    must_match = issuer is not None or metadata().names_issuer
    if must_match and issuer != settings.OIDC_ISSUER:
        raise OidcError(OidcRefusal.WRONG_ISSUER, "the answer names another issuer, or none")
    _refuse_error(request.GET.get("error", ""))
    code = request.GET.get("code", "")
    if not 0 < len(code) <= _LONGEST_CODE:
        raise OidcError(OidcRefusal.PROVIDER_ERROR, "the answer holds no code")
    tokens = exchange_code(code=code, verifier=attempt["verifier"], redirect_uri=door.redirect_uri)
    signed = _verify_token(tokens.id_token)
    expected = Expected(
        issuer=settings.OIDC_ISSUER,
        client_id=settings.OIDC_CLIENT_ID,
        nonce=attempt["nonce"],
        now=int(clock.real_now().timestamp()),
        access_token=tokens.access_token,
    )
    return signed, expected


def _verify_token(token: str) -> Signed:
    """The token with a signature that holds; a key that is new there is looked up once."""
    key_id = read_key_id(token)
    try:
        return verify_signature(token, keys_for(key_id))
    except OidcError as error:
        if error.refusal is not OidcRefusal.BAD_TOKEN or not refresh_keys():
            raise
    return verify_signature(token, keys_for(key_id))


def _refuse_error(error: str) -> None:
    if error in {"access_denied", "login_required", "interaction_required", "consent_required"}:
        raise OidcError(OidcRefusal.CANCELLED, error)
    if error in {"temporarily_unavailable", "server_error"}:
        raise OidcError(OidcRefusal.UNAVAILABLE, error)
    if error:
        raise OidcError(OidcRefusal.PROVIDER_ERROR, "the answer is an error")
