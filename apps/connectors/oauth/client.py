"""The protocol with an authorization server, by Authlib: PKCE, exchange of a code, refresh (RFC 6749, 7636, 9700).

The server is data (`OAuthServer`), and every address is a setting, so that a stand-in can take its place (spec 09).
Errors say whether the person must authorize again: a revoked grant is for good, an outage is not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac

from apps.connectors.contracts import OAuthServer
from apps.core import clock
from apps.core.canonical import moment_text
from apps.core.errors import UnavailableError

_TIMEOUT_SECONDS = 10
_LONGEST_LIFETIME = 7 * 24 * 60 * 60
# A token is renewed a little early, so that it does not expire on its way to the API.
_EARLY = timedelta(seconds=60)
# Named when Google was the only server: an upgrade keeps the authorizations that are under way.
_STATE_SALT = "apps.connectors.google.state"
_PKCE_SALT = "apps.connectors.google.pkce"
_LONGEST_STATE = 512


class GrantRevokedError(Exception):
    """The server no longer accepts this grant: a person has to authorize again."""


class ServerUnavailableError(Exception):
    """The server can't be reached or gave no usable answer; the same request may succeed later."""


@dataclass(frozen=True, slots=True)
class OAuthToken:
    """A token response. The repr shows no token."""

    access_token: str
    refresh_token: str
    scope: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"OAuthToken(expires_at={self.expires_at.isoformat()})"

    def is_fresh(self, now: datetime) -> bool:
        """Whether the access token can still be used."""
        return now + _EARLY < self.expires_at

    def to_text(self) -> str:
        """The JSON that is sealed as the connector's credential."""
        names = ("access_token", "refresh_token", "scope")
        return json.dumps({name: getattr(self, name) for name in names} | {"expires_at": moment_text(self.expires_at)})

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The token of a stored JSON."""
        stored = json.loads(text)
        expires_at = datetime.fromisoformat(stored["expires_at"])
        return cls(stored["access_token"], stored["refresh_token"], stored["scope"], expires_at)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Our registration at one server. The repr shows no secret."""

    server: OAuthServer
    client_id: str
    client_secret: str
    authorize_url: str
    token_url: str

    def __repr__(self) -> str:
        return f"OAuthClient({self.server.name!r}, client_id={self.client_id!r}, token_url={self.token_url!r})"

    def authorization_url(self, *, state: str, scopes: frozenset[str], redirect_uri: str) -> str:
        """The address that the person's browser is sent to."""
        with self._session(redirect_uri) as session:
            url, _ = session.create_authorization_url(
                self.authorize_url,
                state=state,
                code_verifier=derive_verifier(state),
                scope=" ".join(sorted(scopes)),
                **self.server.authorize_parameters,
            )
            return str(url)

    def exchange_code(self, *, code: str, state: str, redirect_uri: str) -> OAuthToken:
        """The token for the code; raises `GrantRevokedError`, `ServerUnavailableError`."""
        with self._session(redirect_uri) as session:
            answer = self._request(
                lambda: session.fetch_token(
                    self.token_url, code=code, code_verifier=derive_verifier(state), timeout=_TIMEOUT_SECONDS
                )
            )
        return self._read_token(answer, refresh_token="", scope="")

    def refresh(self, token: OAuthToken) -> OAuthToken:
        """A fresh token; what the server leaves out stays as it was. Raises as `exchange_code`."""
        with self._session("") as session:
            answer = self._request(
                lambda: session.refresh_token(
                    self.token_url, refresh_token=token.refresh_token, timeout=_TIMEOUT_SECONDS
                )
            )
        return self._read_token(answer, refresh_token=token.refresh_token, scope=token.scope)

    def _session(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            self.client_id,
            self.client_secret,
            redirect_uri=redirect_uri or None,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
        )

    def _request(self, send: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        label = self.server.label
        try:
            return send()
        except OAuthError as error:
            if error.error in self.server.revoked_errors:
                raise GrantRevokedError(error.error) from error
            raise ServerUnavailableError(f"{label} answered {error.error}.") from error
        except requests.RequestException as error:
            raise ServerUnavailableError(f"{label} can't be reached: {type(error).__name__}.") from error
        except ValueError as error:
            raise ServerUnavailableError(f"{label} sent an answer that is not JSON.") from error

    def _read_token(self, answer: Mapping[str, Any], *, refresh_token: str, scope: str) -> OAuthToken:
        access_token, lifetime = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(access_token, str) or not access_token or not isinstance(lifetime, int) or lifetime <= 0:
            raise ServerUnavailableError(f"{self.server.label} sent no access token with an expiry.")
        return OAuthToken(
            access_token=access_token,
            refresh_token=str(answer.get("refresh_token") or refresh_token),
            scope=str(answer.get("scope") or scope),
            expires_at=clock.real_now() + timedelta(seconds=min(lifetime, _LONGEST_LIFETIME)),
        )


def is_configured(server: OAuthServer) -> bool:
    """Whether this installation has a client at the server, so that an authorization can start."""
    return bool(_setting(server, "CLIENT_ID") and _setting(server, "CLIENT_SECRET"))


def client_for(server: OAuthServer) -> OAuthClient:
    """Our client at the server; raises `UnavailableError` `<server>_not_configured` without one."""
    if not is_configured(server):
        prefix = server.settings_prefix
        raise UnavailableError(
            f"{server.label} is not set up on this installation: {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET are not "
            "set.",
            code=f"{server.name}_not_configured",
            title=f"{server.label} is not set up here",
        )
    names = ("CLIENT_ID", "CLIENT_SECRET", "AUTHORIZE_URL", "TOKEN_URL")
    return OAuthClient(server, *(_setting(server, name) for name in names))


def _setting(server: OAuthServer, name: str) -> str:
    return str(getattr(settings, f"{server.settings_prefix}_{name}", ""))


def make_state(attempt_id: UUID) -> str:
    """A signed state that names the attempt and holds 128 random bits."""
    return signing.Signer(salt=_STATE_SALT).sign_object([str(attempt_id), secrets.token_urlsafe(16)])


def read_state(state: str) -> UUID | None:
    """The attempt that the state names; None when we did not sign it."""
    if not 0 < len(state) <= _LONGEST_STATE:
        return None
    try:
        attempt_id, _ = signing.Signer(salt=_STATE_SALT).unsign_object(state)
        return UUID(attempt_id)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def derive_verifier(state: str) -> str:
    """The PKCE verifier (RFC 7636): an HMAC of the state, so that it need not be stored."""
    made = salted_hmac(_PKCE_SALT, state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def digest(text: str) -> str:
    """The SHA-256 that is stored of a state or a session key: it can be compared, but not used."""
    return hashlib.sha256(text.encode()).hexdigest()
