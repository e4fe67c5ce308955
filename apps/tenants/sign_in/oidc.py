"""The way to the identity service and back. Both are GET requests that a browser follows."""

from __future__ import annotations

import hmac
import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.core import clock
from apps.core.mails import public_address
from apps.core.observability.requests import current_request_id
from apps.tenants.models import User
from apps.tenants.oidc.id_token import Expected, Signed, read_key_id, read_subject, verify_signature
from apps.tenants.oidc.provider import exchange_code, is_configured, keys_for, metadata, refresh_keys
from apps.tenants.oidc.refusals import OidcError, OidcRefusal
from apps.tenants.sign_in.sessions import Method, begin_session
from apps.tenants.views import safe_next

logger = logging.getLogger(__name__)

_SESSION_KEY = "oidc_attempts"
# Several tabs may be on their way at once.
_ATTEMPTS_AT_MOST = 5
_ATTEMPT_LASTS = timedelta(minutes=10)
_LONGEST_CODE = 4096


@dataclass(frozen=True, slots=True)
class _Words:
    status: HTTPStatus
    title: str
    why: str
    remedy: str = "Try to sign in again. If this page comes back, give your admin the request number below."


_WORDS = {
    OidcRefusal.NOT_BEGUN: _Words(
        HTTPStatus.BAD_REQUEST,
        "This sign-in did not start here",
        "The answer of the identity service belongs to no sign-in of this browser, or was used already.",
        "Start again from the sign-in page, in this browser.",
    ),
    OidcRefusal.LATE: _Words(
        HTTPStatus.BAD_REQUEST,
        "That took too long",
        "A sign-in must be finished within ten minutes.",
        "Start again from the sign-in page.",
    ),
    OidcRefusal.CANCELLED: _Words(
        HTTPStatus.FORBIDDEN,
        "You did not sign in",
        "The identity service says that the sign-in was cancelled or not allowed.",
        "Start again from the sign-in page, or ask your admin whether your account may use these pages.",
    ),
    OidcRefusal.PROVIDER_ERROR: _Words(
        HTTPStatus.BAD_GATEWAY,
        "The identity service refused the sign-in",
        "It answered with an error instead of telling us who you are.",
    ),
    OidcRefusal.UNAVAILABLE: _Words(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The identity service can't be reached",
        "It does not answer at the moment, or not in a way that we understand.",
        "Wait a minute, then try to sign in again.",
    ),
    OidcRefusal.WRONG_ISSUER: _Words(
        HTTPStatus.FORBIDDEN,
        "This answer comes from elsewhere",
        "The answer names another identity service than the one that you were sent to.",
    ),
    OidcRefusal.BAD_TOKEN: _Words(
        HTTPStatus.FORBIDDEN,
        "The answer of the identity service is not valid",
        "We could not verify what it says about you, so we did not use it.",
    ),
    OidcRefusal.UNKNOWN_PERSON: _Words(
        HTTPStatus.FORBIDDEN,
        "You have no account here yet",
        "The identity service knows you, but no product has added you here.",
        "Ask an admin of your organization to add you in the product that you use.",
    ),
    OidcRefusal.DEACTIVATED: _Words(
        HTTPStatus.FORBIDDEN,
        "This account is deactivated",
        "The identity service knows you, but your account here is switched off.",
        "Ask an admin of your organization.",
    ),
    OidcRefusal.STAFF: _Words(
        HTTPStatus.FORBIDDEN,
        "Staff sign in at the back office",
        "Yours is a staff account, which takes a password and a second factor.",
        "Open the back office and sign in there.",
    ),
}


@require_GET
def oidc_begin(request: HttpRequest) -> HttpResponse:
    """302 to the identity service, with a fresh state, nonce and PKCE challenge that this session remembers."""
    wanted = safe_next(request, request.GET.get("next", ""))
    if not is_configured() or request.user.is_authenticated:
        return HttpResponseRedirect((wanted or reverse("billing-home")) if is_configured() else reverse("sign-in"))
    try:
        endpoint = metadata().authorization_endpoint
    except OidcError as error:
        return _show_refusal(request, error)
    state, nonce, verifier = generate_token(32), generate_token(32), generate_token(64)
    challenge: str = create_s256_code_challenge(verifier)  # type: ignore[no-untyped-call]
    attempts = dict(request.session.get(_SESSION_KEY) or {})
    attempts[state] = {"nonce": nonce, "verifier": verifier, "next": wanted, "at": clock.real_now().isoformat()}
    request.session[_SESSION_KEY] = dict(list(attempts.items())[-_ATTEMPTS_AT_MOST:])
    query = urlencode(
        {
            "response_type": "code",
            "client_id": settings.OIDC_CLIENT_ID,
            "redirect_uri": redirect_uri(),
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    return HttpResponseRedirect(f"{endpoint}{'&' if '?' in endpoint else '?'}{query}")


@require_GET
def oidc_callback(request: HttpRequest) -> HttpResponse:
    """Verify the answer and sign the person in, or show why not."""
    try:
        attempt = _take_attempt(request)
        user = _find_user(_read_answer(request, attempt))
    except OidcError as error:
        if error.refusal is OidcRefusal.NOT_BEGUN and request.user.is_authenticated:
            # The page that signed them in was loaded again.
            return HttpResponseRedirect(reverse("billing-home"))
        return _show_refusal(request, error)
    begin_session(request, user, Method.IDENTITY_SERVICE)
    return HttpResponseRedirect(attempt["next"] or reverse("billing-home"))


def redirect_uri() -> str:
    """Our callback address, as registered at the identity service."""
    return public_address(reverse("oidc-callback"))


def _take_attempt(request: HttpRequest) -> dict[str, Any]:
    """The attempt that the answer's state stands for; taken out, so that each state is good for one answer."""
    state = request.GET.get("state", "")
    attempts = dict(request.session.get(_SESSION_KEY) or {}) if is_configured() else {}
    found = [known for known in attempts if hmac.compare_digest(known.encode(), state.encode())]
    if not found:
        raise OidcError(OidcRefusal.NOT_BEGUN, "the state is not one of this session")
    attempt: dict[str, Any] = attempts.pop(found[0])
    request.session[_SESSION_KEY] = attempts
    if clock.real_now() >= datetime.fromisoformat(attempt["at"]) + _ATTEMPT_LASTS:
        raise OidcError(OidcRefusal.LATE, "the attempt is too old")
    return attempt


def _read_answer(request: HttpRequest, attempt: dict[str, Any]) -> str:
    """The order matters: an answer of another issuer is not even asked for its error (RFC 9207)."""
    issuer = request.GET.get("iss")
    must_match = issuer is not None or metadata().names_issuer
    if must_match and issuer != settings.OIDC_ISSUER:
        raise OidcError(OidcRefusal.WRONG_ISSUER, "the answer names another issuer, or none")
    _refuse_error(request.GET.get("error", ""))
    code = request.GET.get("code", "")
    if not 0 < len(code) <= _LONGEST_CODE:
        raise OidcError(OidcRefusal.PROVIDER_ERROR, "the answer holds no code")
    tokens = exchange_code(code=code, verifier=attempt["verifier"], redirect_uri=redirect_uri())
    signed = _verify_token(tokens.id_token)
    expected = Expected(
        issuer=settings.OIDC_ISSUER,
        client_id=settings.OIDC_CLIENT_ID,
        nonce=attempt["nonce"],
        now=int(clock.real_now().timestamp()),
        access_token=tokens.access_token,
    )
    return read_subject(signed, expected)


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


def _find_user(subject: str) -> User:
    """The user whose id is the subject. A sign-in creates no user."""
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
    if user.is_staff:
        raise OidcError(OidcRefusal.STAFF, f"user {user.pk} is staff")
    return user


def _show_refusal(request: HttpRequest, error: OidcError) -> HttpResponse:
    words = _WORDS[error.refusal]
    logger.warning("oidc_refused", extra={"refusal": error.refusal.value, "fact": error.fact})
    facts = {
        "title": words.title,
        "words": words,
        "is_staff_door": error.refusal is OidcRefusal.STAFF,
        "request_id": current_request_id(),
    }
    page = render(request, "billing/oidc_refused.html", facts, status=words.status)
    if words.status == HTTPStatus.SERVICE_UNAVAILABLE:
        page.headers["Retry-After"] = "60"
    return page
