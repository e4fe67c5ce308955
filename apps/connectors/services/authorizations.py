"""The way of a person to Google and back (spec 06, Google authorization; RFC 9700).

Whatever comes back is used up before Google is asked for a token, so that no answer serves twice. An answer that does
not belong to what was begun is refused and noted on the timeline, and Google is not asked.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction

from apps.connectors import events
from apps.connectors.contracts import ProviderError, Secret
from apps.connectors.credentials import credential_open, credential_write
from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import AuthorizationAttempt, Connector
from apps.connectors.oauth.client import (
    GoogleGrantInvalidError,
    GoogleToken,
    GoogleUnreachableError,
    attempt_of,
    authorization_address,
    digest,
    exchange_code,
    from_text,
    google_configuration,
    new_state,
    to_text,
    verifier_of,
)
from apps.connectors.providers.registry import open_provider, provider_class
from apps.connectors.rules.authorization import VALID_FOR, Attempt, Return, missing_scopes, why_refused
from apps.connectors.rules.causes import cause_of, depart, switch_on
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connector_for_update, connector_of
from apps.connectors.services.lifecycle import connector_settle, standing_of
from apps.connectors.services.timeline import connector_note
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, ForbiddenError, Reason, UnprocessableError
from apps.core.gate import require
from apps.core.ids import UserId, WorkspaceId
from apps.subscriptions.services import lifecycle_require

EDIT = "connector.edit"


@dataclass(frozen=True, slots=True)
class Traveller:
    """The person on the way: who, in which session, and the address that Google sends them back to."""

    user_id: UserId
    session_key: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class GoogleAnswer:
    """What Google's redirect carries: a code, or the name of an error."""

    state: str
    code: str = ""
    error: str = ""


class AuthorizationFailedError(ConflictError):
    """The answer was ours, but brought no lasting permission. The connector is as it was."""

    code = "authorization_failed"
    title = "Google gave no permission"


def authorization_begin(context: ExecutionContext, *, connector_id: ConnectorId, traveller: Traveller) -> str:
    """Note that the person sets out, and say where to.

    Raises `NotFoundError` `unknown_connector`, `UnprocessableError` `not_by_google` for a provider with another kind of
    credential, `UnavailableError` `google_not_configured`, `ForbiddenError`, also `lifecycle_denied`.
    """
    require(context, EDIT)
    connector = connector_of(connector_id)
    scopes = _scopes_of(connector)
    configuration = google_configuration()
    workspace_id = WorkspaceId(connector.workspace_id)
    lifecycle_require(context, workspace_id=workspace_id, operation=EDIT)
    attempt_id, now = uuid.uuid4(), clock.now()
    state = new_state(attempt_id)
    AuthorizationAttempt.objects.create(
        id=attempt_id,
        connector=connector,
        workspace_id=workspace_id,
        user_id=traveller.user_id,
        state_digest=digest(state),
        session_digest=digest(traveller.session_key),
        started_at=now,
        expires_at=now + VALID_FOR,
    )
    return authorization_address(
        configuration,
        state=state,
        verifier=verifier_of(state),
        scopes=scopes,
        redirect_uri=traveller.redirect_uri,
    )


def attempt_that_began(state: str) -> AuthorizationAttempt:
    """The attempt of the state, with its connector; raises `ForbiddenError` for a state that we did not give out."""
    attempt_id = attempt_of(state)
    rows = AuthorizationAttempt.objects.select_related("connector__workspace")
    attempt = rows.filter(pk=attempt_id, state_digest=digest(state)).first() if attempt_id else None
    if attempt is None:
        raise _refusal("The answer belongs to no authorization that was begun here.", "state")
    return attempt


def authorization_refuse(context: ExecutionContext, *, attempt: AuthorizationAttempt, why: str) -> ForbiddenError:
    """Note the refused answer on the connector's timeline; the error to raise."""
    connector_note(
        context,
        connector_id=ConnectorId(attempt.connector_id),
        kind=ConnectorEventKind.AUTHORIZATION_REFUSED,
        sentence=f"An answer from Google was refused: {why}",
    )
    return _refusal(why, f"connector:{attempt.connector_id}")


def authorization_complete(
    context: ExecutionContext, *, attempt: AuthorizationAttempt, traveller: Traveller, answer: GoogleAnswer
) -> Connector:
    """Take Google's answer: exchange the code, keep the token sealed, and let the connector run.

    Raises `ForbiddenError` `authorization_refused` for an answer of another session, person or connector, a late or a
    used one; `AuthorizationFailedError` where the person said no, or Google gave less than was asked.
    """
    why = _why_refused(attempt, traveller)
    if why is not None:
        raise authorization_refuse(context, attempt=attempt, why=why)
    require(context, EDIT)
    lifecycle_require(context, workspace_id=WorkspaceId(attempt.workspace_id), operation=EDIT)
    if not _use_up(attempt):
        raise authorization_refuse(context, attempt=attempt, why="The answer of this authorization was used before.")
    if answer.error or not answer.code:
        raise _failed(context, attempt, _sentence_of(answer.error))
    token = _exchanged(context, attempt, traveller, answer)
    missing = missing_scopes(_scopes_of(attempt.connector), token.scope)
    if missing:
        raise _failed(context, attempt, f"Google did not grant {', '.join(missing)}. Tick every box on Google's page.")
    _try(context, attempt, token)
    return _keep(context, ConnectorId(attempt.connector_id), token)


def _why_refused(attempt: AuthorizationAttempt, traveller: Traveller) -> str | None:
    began = Attempt(
        session_digest=attempt.session_digest,
        user_id=attempt.user_id,
        workspace_id=attempt.workspace_id,
        connector_id=attempt.connector_id,
        expires_at=attempt.expires_at,
        used_at=attempt.used_at,
    )
    returned = Return(
        session_digest=digest(traveller.session_key),
        user_id=traveller.user_id,
        workspace_id=attempt.connector.workspace_id,
        connector_id=attempt.connector.pk,
        at=clock.now(),
    )
    return why_refused(began, returned)


def _use_up(attempt: AuthorizationAttempt) -> bool:
    unused = AuthorizationAttempt.objects.filter(pk=attempt.pk, used_at=None)
    return unused.update(used_at=clock.now()) == 1


def _exchanged(
    context: ExecutionContext, attempt: AuthorizationAttempt, traveller: Traveller, answer: GoogleAnswer
) -> GoogleToken:
    try:
        return exchange_code(
            google_configuration(),
            code=answer.code,
            verifier=verifier_of(answer.state),
            redirect_uri=traveller.redirect_uri,
        )
    except GoogleGrantInvalidError as error:
        raise _failed(context, attempt, "Google did not take its own code again. Authorize once more.") from error
    except GoogleUnreachableError as error:
        raise _failed(context, attempt, f"{error} Authorize once more in a few minutes.") from error


def _try(context: ExecutionContext, attempt: AuthorizationAttempt, token: GoogleToken) -> None:
    """As with a typed key: nothing is kept that opens nothing."""
    connector, secret = attempt.connector, Secret(CredentialKind.OAUTH, token.access_token)
    try:
        open_provider(connector.provider, secret, connector.settings, is_demo=context.is_demo).check()
    except ProviderError as error:
        raise _failed(context, attempt, f"Google let us in, but then: {error.sentence}") from error


@transaction.atomic
def _keep(context: ExecutionContext, connector_id: ConnectorId, token: GoogleToken) -> Connector:
    connector = connector_for_update(connector_id)
    kept = token if token.refresh_token else _with_refresh_token(context, connector, token)
    credential_write(
        connector_id=connector_id, kind=CredentialKind.OAUTH, text=to_text(kept), expires_at=kept.expires_at
    )
    standing = depart(standing_of(connector), cause_of(AutoDisableReason.CREDENTIAL_INVALID, is_of_workspace=False))
    if standing.status in sources("authorize"):
        standing = switch_on(standing)
    connector_settle(context, connector, standing, event=events.CONNECTOR_AUTHORIZED, reason="")
    connector_note(
        context, connector_id=connector_id, kind=ConnectorEventKind.AUTHORIZED, sentence="Authorized at Google."
    )
    return connector


def _with_refresh_token(context: ExecutionContext, connector: Connector, token: GoogleToken) -> GoogleToken:
    """On a repeated consent Google may leave the refresh token out; the one that we have stays good (spec 06)."""
    secret: Secret | None = credential_open(ConnectorId(connector.pk))
    if secret is None or secret.kind is not CredentialKind.OAUTH:
        raise AuthorizationFailedError(
            "Google gave no lasting permission, because it had given one before. Remove this product's access in your "
            "Google account (Security, third-party access), then authorize again."
        )
    earlier = from_text(secret.reveal())
    return GoogleToken(token.access_token, earlier.refresh_token, token.scope, token.expires_at)


def _scopes_of(connector: Connector) -> frozenset[str]:
    found = provider_class(connector.provider)
    if found.credential_kind is not CredentialKind.OAUTH:
        raise UnprocessableError(
            f"{found.label} is not authorized at Google. Replace its key instead.",
            code="not_by_google",
            title="Not a Google connector",
        )
    return frozenset(found.oauth_scopes)


def _sentence_of(error: str) -> str:
    if error == "access_denied":
        return "You did not agree on Google's page, so nothing has changed."
    return f"Google reported {error or 'nothing at all'}. Authorize once more."


def _failed(context: ExecutionContext, attempt: AuthorizationAttempt, sentence: str) -> AuthorizationFailedError:
    connector_note(
        context,
        connector_id=ConnectorId(attempt.connector_id),
        kind=ConnectorEventKind.AUTHORIZATION_REFUSED,
        sentence=f"The authorization did not succeed: {sentence}",
    )
    return AuthorizationFailedError(sentence)


def _refusal(why: str, record: str) -> ForbiddenError:
    return ForbiddenError(
        f"{why} Begin again on the connector's page.",
        code="authorization_refused",
        title="This authorization can't be taken",
        explanation=[Reason("authorization_attempt", "deny", why, record)],
    )
