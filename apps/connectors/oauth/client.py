"""The conversation with Google's token endpoint, by Authlib: PKCE, exchange of a code, refresh (RFC 6749, 7636, 9700).

Errors say whether the person must authorize again: an `invalid_grant` is for good, an outage is not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac

from apps.core import clock
from apps.core.canonical import moment_text
from apps.core.errors import UnavailableError

_TIMEOUT_SECONDS = 10
# A token is renewed a little early, so that it does not run out on its way to the API.
_LONGEST_LIFETIME = 7 * 24 * 60 * 60
EARLY = timedelta(seconds=60)


class GoogleGrantInvalidError(Exception):
    """Google takes this grant no more: a person has to authorize again."""


class GoogleUnreachableError(Exception):
    """Google could not be asked, or could not answer; the same question may go well later."""


@dataclass(frozen=True, slots=True)
class GoogleToken:
    """What Google gave us. Shows nothing of itself in a repr."""

    access_token: str
    refresh_token: str
    scope: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"GoogleToken(expires_at={self.expires_at.isoformat()})"

    def is_fresh(self, now: datetime) -> bool:
        """Whether the access token can still be used."""
        return now + EARLY < self.expires_at


def authorization_address(
    configuration: GoogleConfiguration, *, state: str, verifier: str, scopes: frozenset[str], redirect_uri: str
) -> str:
    """Where the person goes. Asks for a refresh token, and keeps what was granted to us before."""
    with _session(configuration, redirect_uri) as session:
        address, _ = session.create_authorization_url(
            configuration.authorize_url,
            state=state,
            code_verifier=verifier,
            scope=" ".join(sorted(scopes)),
            access_type="offline",
            prompt="consent",
            include_granted_scopes="true",
        )
        return str(address)


def exchange_code(configuration: GoogleConfiguration, *, code: str, verifier: str, redirect_uri: str) -> GoogleToken:
    """The token for the code; raises `GoogleGrantInvalidError`, `GoogleUnreachableError`."""
    with _session(configuration, redirect_uri) as session:
        answer = _asked(
            lambda: session.fetch_token(
                configuration.token_url, code=code, code_verifier=verifier, timeout=_TIMEOUT_SECONDS
            )
        )
    return _token(answer, refresh_token="", scope="")


def refresh(configuration: GoogleConfiguration, token: GoogleToken) -> GoogleToken:
    """A fresh token; what Google leaves out stays as it was. Raises as `exchange_code`."""
    with _session(configuration, "") as session:
        answer = _asked(
            lambda: session.refresh_token(
                configuration.token_url, refresh_token=token.refresh_token, timeout=_TIMEOUT_SECONDS
            )
        )
    return _token(answer, refresh_token=token.refresh_token, scope=token.scope)


def _session(configuration: GoogleConfiguration, redirect_uri: str) -> OAuth2Session:
    return OAuth2Session(
        configuration.client_id,
        configuration.client_secret,
        redirect_uri=redirect_uri or None,
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
    )


def _asked(ask: Any) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = ask()
    except OAuthError as error:
        if error.error in {"invalid_grant", "invalid_rapt"}:
            raise GoogleGrantInvalidError(error.error) from error
        raise GoogleUnreachableError(f"Google answered {error.error}.") from error
    except requests.RequestException as error:
        raise GoogleUnreachableError(f"Google can't be reached: {type(error).__name__}.") from error
    except ValueError as error:
        raise GoogleUnreachableError("Google's answer was not JSON.") from error
    return answer


def _token(answer: Mapping[str, Any], *, refresh_token: str, scope: str) -> GoogleToken:
    access_token, lifetime = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(access_token, str) or not access_token or not isinstance(lifetime, int) or lifetime <= 0:
        raise GoogleUnreachableError("Google's answer holds no access token with an end.")
    return GoogleToken(
        access_token=access_token,
        refresh_token=str(answer.get("refresh_token") or refresh_token),
        scope=str(answer.get("scope") or scope),
        expires_at=clock.now() + timedelta(seconds=min(lifetime, _LONGEST_LIFETIME)),
    )


@dataclass(frozen=True, slots=True)
class GoogleConfiguration:
    """Our registration at Google and its addresses. The secret shows in no repr."""

    client_id: str
    client_secret: str
    authorize_url: str
    token_url: str

    def __repr__(self) -> str:
        return f"GoogleConfiguration(client_id={self.client_id!r}, token_url={self.token_url!r})"


def google_api_base(host: str) -> str:
    """The base address of the API that Google serves at `host`."""
    return settings.GOOGLE_API_BASE.rstrip("/") or f"https://{host}"


def is_configured() -> bool:
    """Whether an authorization can be begun at all."""
    return bool(settings.GOOGLE_CLIENT_ID and settings.GOOGLE_CLIENT_SECRET)


def google_configuration() -> GoogleConfiguration:
    """The configuration; raises `UnavailableError` `google_not_configured` where this installation has none."""
    if not is_configured():
        raise UnavailableError(
            "Google is not set up on this installation: GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are not set.",
            code="google_not_configured",
            title="Google is not set up here",
        )
    return GoogleConfiguration(
        client_id=settings.GOOGLE_CLIENT_ID,
        client_secret=settings.GOOGLE_CLIENT_SECRET,
        authorize_url=settings.GOOGLE_AUTHORIZE_URL,
        token_url=settings.GOOGLE_TOKEN_URL,
    )


_SALT = "apps.connectors.oauth.client"
_LONGEST = 512


def new_state(attempt_id: UUID) -> str:
    """A state of 128 random bits for the attempt, signed."""
    return signing.Signer(salt=_SALT).sign_object([str(attempt_id), secrets.token_urlsafe(16)])


def attempt_of(state: str) -> UUID | None:
    """The attempt that the state names; None when the state is not ours."""
    if not 0 < len(state) <= _LONGEST:
        return None
    try:
        attempt_id, _ = signing.Signer(salt=_SALT).unsign_object(state)
        return UUID(attempt_id)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def verifier_of(state: str) -> str:
    """The secret half of PKCE (RFC 7636): only we can derive it from the state, so that it need not be stored."""
    made = salted_hmac("apps.connectors.google.pkce", state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def digest(text: str) -> str:
    """What is stored of a state or a session: enough to know it again, too little to use it."""
    return hashlib.sha256(text.encode()).hexdigest()


def to_text(token: GoogleToken) -> str:
    """The token as JSON."""
    return json.dumps(
        {
            "access_token": token.access_token,
            "refresh_token": token.refresh_token,
            "scope": token.scope,
            "expires_at": moment_text(token.expires_at),
        }
    )


def from_text(text: str) -> GoogleToken:
    """The token again."""
    stored = json.loads(text)
    return GoogleToken(
        access_token=stored["access_token"],
        refresh_token=stored["refresh_token"],
        scope=stored["scope"],
        expires_at=datetime.fromisoformat(stored["expires_at"]),
    )
