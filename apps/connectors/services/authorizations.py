"""The authorization code flow of a connector, at whichever server its provider names (spec 06, Google authorization).

A response uses up its attempt before the code is exchanged, so that none is accepted twice. One that does not belong
to the attempt is refused and recorded on the timeline, and the server is not called (RFC 9700).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from django.db import transaction

from apps.connectors import events
from apps.connectors.contracts import OAuthServer, ProviderError, Secret
from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import AuthorizationAttempt, Connector
from apps.connectors.oauth.client import (
    GrantRevokedError,
    OAuthToken,
    ServerUnavailableError,
    client_for,
    digest,
    make_state,
    read_state,
)
from apps.connectors.providers.registry import oauth_server_of, open_provider, provider_class
from apps.connectors.rules.authorization import VALID_FOR, Attempt, Callback, find_refusal, missing_scopes
from apps.connectors.rules.causes import cause_of, enable_unless_kept_off, remove_cause
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connector_for_update, connector_of
from apps.connectors.services.credentials import connector_may_write, credential_open, credential_write
from apps.connectors.services.lifecycle import CREDENTIAL, connector_update_state, state_of
from apps.connectors.services.timeline import connector_note
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, ForbiddenError, Reason, UnprocessableError
from apps.core.ids import UserId, WorkspaceId
from apps.core.operations import require
from apps.subscriptions.services import lifecycle_require


@dataclass(frozen=True, slots=True)
class UserAgent:
    """The browser that is redirected: whose it is, its session, and the callback of the server."""

    server: OAuthServer
    user_id: UserId
    session_key: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """The parameters of the callback: a code, or the name of an error."""

    state: str
    code: str = ""
    error: str = ""


class AuthorizationFailedError(ConflictError):
    """The response was ours but gave no lasting permission. The connector is as it was."""

    code = "authorization_failed"
    title = "The authorization did not succeed"


def authorization_begin(
    context: ExecutionContext, *, connector_id: ConnectorId, agent: UserAgent, may_write: bool = False
) -> str:
    """Store an attempt; returns the address of the server to redirect to.

    `may_write` asks for the scopes of writing too; who granted them once is asked for them again.
    Raises `NotFoundError` `unknown_connector`, `UnprocessableError` `not_by_<server>` for a provider that is not
    authorized there, `UnavailableError` `<server>_not_configured`, `ForbiddenError`, also `lifecycle_denied`.
    """
    require(context, CREDENTIAL)
    connector = connector_of(connector_id)
    provider, server = provider_class(connector.provider), agent.server
    if provider.oauth_server != server:
        raise UnprocessableError(
            f"{provider.label} is not authorized at {server.label}. Replace its key instead.",
            code=f"not_by_{server.name}",
            title=f"Not authorized at {server.label}",
        )
    client = client_for(server)
    workspace_id = WorkspaceId(connector.workspace_id)
    lifecycle_require(context, workspace_id=workspace_id, operation=CREDENTIAL)
    attempt_id, now = uuid.uuid4(), clock.now()
    state = make_state(attempt_id)
    AuthorizationAttempt.objects.create(
        id=attempt_id,
        connector=connector,
        workspace_id=workspace_id,
        user_id=agent.user_id,
        state_digest=digest(state),
        session_digest=digest(agent.session_key),
        started_at=now,
        expires_at=now + VALID_FOR,
    )
    scopes = frozenset(provider.oauth_scopes)
    if may_write or connector_may_write(connector):
        scopes |= frozenset(provider.write_scopes)
    return client.authorization_url(state=state, scopes=scopes, redirect_uri=agent.redirect_uri)


def attempt_of_state(state: str) -> AuthorizationAttempt:
    """The attempt of the state, with its connector; raises `ForbiddenError` for a state that we did not issue."""
    attempt_id = read_state(state)
    rows = AuthorizationAttempt.objects.select_related("connector__workspace")
    attempt = rows.filter(pk=attempt_id, state_digest=digest(state)).first() if attempt_id else None
    if attempt is None:
        raise _forbidden("This answer belongs to no authorization that was started here.", "state")
    return attempt


def authorization_refuse(context: ExecutionContext, *, attempt: AuthorizationAttempt, why: str) -> ForbiddenError:
    """Record the refusal on the connector's timeline; returns the error to raise."""
    connector_note(
        context,
        connector_id=ConnectorId(attempt.connector_id),
        kind=ConnectorEventKind.AUTHORIZATION_REFUSED,
        sentence=f"An authorization was refused: {why}",
    )
    return _forbidden(why, f"connector:{attempt.connector_id}")


def authorization_complete(
    context: ExecutionContext, *, attempt: AuthorizationAttempt, agent: UserAgent, response: AuthorizationResponse
) -> Connector:
    """Exchange the code, store the sealed token, and enable the connector.

    Raises `ForbiddenError` `authorization_refused` for a response of another session, person, server or connector, an
    expired or a used one; `AuthorizationFailedError` where the person or the server did not grant what was requested.
    """
    refusal = find_refusal(*_facts(attempt, agent))
    if refusal is not None:
        raise authorization_refuse(context, attempt=attempt, why=refusal)
    require(context, CREDENTIAL)
    lifecycle_require(context, workspace_id=WorkspaceId(attempt.workspace_id), operation=CREDENTIAL)
    unused = AuthorizationAttempt.objects.filter(pk=attempt.pk, used_at=None)
    if not unused.update(used_at=clock.now()):
        raise authorization_refuse(context, attempt=attempt, why="This authorization was already completed.")
    try:
        token = _obtain_token(context, attempt, agent, response)
    except AuthorizationFailedError as failure:
        connector_note(
            context,
            connector_id=ConnectorId(attempt.connector_id),
            kind=ConnectorEventKind.AUTHORIZATION_REFUSED,
            sentence=f"The authorization did not succeed: {failure.detail}",
        )
        raise
    return _store_token(context, ConnectorId(attempt.connector_id), token, agent.server)


def _facts(attempt: AuthorizationAttempt, agent: UserAgent) -> tuple[Attempt, Callback]:
    server = oauth_server_of(attempt.connector.provider)
    stored = Attempt(
        server=server.name if server else "",
        session_digest=attempt.session_digest,
        user_id=attempt.user_id,
        workspace_id=attempt.workspace_id,
        connector_id=attempt.connector_id,
        expires_at=attempt.expires_at,
        used_at=attempt.used_at,
    )
    callback = Callback(
        server=agent.server.name,
        session_digest=digest(agent.session_key),
        user_id=agent.user_id,
        workspace_id=attempt.connector.workspace_id,
        connector_id=attempt.connector.pk,
        at=clock.now(),
    )
    return stored, callback


def _obtain_token(
    context: ExecutionContext, attempt: AuthorizationAttempt, agent: UserAgent, response: AuthorizationResponse
) -> OAuthToken:
    """A token with every requested scope that the provider accepts; raises `AuthorizationFailedError`."""
    label, connector = agent.server.label, attempt.connector
    if response.error == "access_denied":
        raise AuthorizationFailedError(f"You did not agree on {label}'s page, so nothing has changed.")
    if response.error or not response.code:
        raise AuthorizationFailedError(f"{label} reported {response.error or 'no code'}. Authorize again.")
    try:
        token = client_for(agent.server).exchange_code(
            code=response.code, state=response.state, redirect_uri=agent.redirect_uri
        )
    except GrantRevokedError as error:
        raise AuthorizationFailedError(f"{label} did not accept its own code. Authorize again.") from error
    except ServerUnavailableError as error:
        raise AuthorizationFailedError(f"{error} Authorize again in a few minutes.") from error
    provider = provider_class(connector.provider)
    missing = missing_scopes(frozenset(provider.oauth_scopes), token.scope)
    if missing:
        raise AuthorizationFailedError(f"{label} did not grant {', '.join(missing)}. Tick every box on {label}'s page.")
    secret = Secret(CredentialKind.OAUTH, token.access_token)
    try:
        # As with a typed key: no credential is stored that opens nothing.
        open_provider(connector.provider, secret, connector.settings, is_demo=context.is_demo).check()
    except ProviderError as error:
        raise AuthorizationFailedError(f"{label} accepted you, but then: {error.sentence}") from error
    return token


@transaction.atomic
def _store_token(
    context: ExecutionContext, connector_id: ConnectorId, token: OAuthToken, server: OAuthServer
) -> Connector:
    connector = connector_for_update(connector_id)
    if not token.refresh_token:
        token = replace(token, refresh_token=_stored_refresh_token(connector_id, server))
    credential_write(
        connector_id=connector_id, kind=CredentialKind.OAUTH, text=token.to_text(), expires_at=token.expires_at
    )
    state = remove_cause(state_of(connector), cause_of(AutoDisableReason.CREDENTIAL_INVALID, is_of_workspace=False))
    if state.status in sources("authorize"):
        state = enable_unless_kept_off(state)
    connector_update_state(context, connector, state, event=events.CONNECTOR_AUTHORIZED, reason="")
    sentence = f"Authorized at {server.label}."
    connector_note(context, connector_id=connector_id, kind=ConnectorEventKind.AUTHORIZED, sentence=sentence)
    return connector


def _stored_refresh_token(connector_id: ConnectorId, server: OAuthServer) -> str:
    """On a repeated consent a server may leave the refresh token out; the stored one stays valid (spec 06)."""
    secret = credential_open(connector_id)
    if secret is None or secret.kind is not CredentialKind.OAUTH:
        raise AuthorizationFailedError(
            f"{server.label} gave no lasting permission, because it had given one before. {server.removal_hint}, then "
            "authorize again."
        )
    return OAuthToken.from_text(secret.reveal()).refresh_token


def _forbidden(why: str, record: str) -> ForbiddenError:
    return ForbiddenError(
        f"{why} Start again on the connector's page.",
        code="authorization_refused",
        title="This authorization can't be accepted",
        explanation=[Reason("authorization_attempt", "deny", why, record)],
    )
