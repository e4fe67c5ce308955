"""THE module that seals and opens credentials (spec 06, Credentials). An opened one is only ever in a `Secret`.

An access token is refreshed once for all workers: the refresh holds the lock of the credential's row, and whoever waits
for it finds the fresh token. A revoked grant puts the connector in `needs_reauthorization` and notifies the
organization's admins.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.db.models import F
from django.urls import reverse

from apps.connectors import events
from apps.connectors.contracts import ProviderError, Secret
from apps.connectors.enums import ConnectorEventKind, ConnectorStatus, CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, ConnectorCredential
from apps.connectors.oauth.client import GrantRevokedError, OAuthToken, ServerUnavailableError, client_for
from apps.connectors.providers.registry import oauth_server_of, provider_class, provider_label
from apps.connectors.rules.authorization import missing_scopes
from apps.connectors.rules.causes import ConnectorState
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connector_for_update
from apps.connectors.services.lifecycle import EDIT, connector_update_state, state_of
from apps.connectors.services.timeline import connector_note
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.crypto import Binding, SealError, configured_key_ids, key_id_of, open_sealed, seal
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId
from apps.core.mails import Mail, mail_payload, public_address
from apps.core.operations import require
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.subscriptions.services.change_steps import require_reason
from apps.tenants.enums import NoticeKind
from apps.tenants.selectors.notices import notice_emails, notices_address

# Steps from one key id to the next along the index, however many credentials there are.
_KEY_IDS_IN_USE = """
    WITH RECURSIVE used AS (
        SELECT min(key_id) AS key_id FROM connectors_connectorcredential
        UNION ALL
        SELECT (SELECT min(key_id) FROM connectors_connectorcredential WHERE key_id > used.key_id)
        FROM used WHERE used.key_id IS NOT NULL
    )
    SELECT key_id FROM used WHERE key_id IS NOT NULL
"""


def credential_write(
    *, connector_id: ConnectorId, kind: CredentialKind, text: str, expires_at: datetime | None = None
) -> None:
    """Seal the text and store it as the connector's credential, in place of the one before.

    The caller holds the connector's lock, in a transaction. Raises `SealError` without a key: nothing is stored then.
    """
    sealed = seal(text, binding_of(connector_id, kind))
    values = {
        "kind": kind,
        "ciphertext": sealed,
        "key_id": key_id_of(sealed),
        "last_four": Secret(kind, text).last_four if kind is CredentialKind.API_KEY else "",
        "expires_at": expires_at,
        "stored_at": clock.now(),
    }
    rows = ConnectorCredential.objects.filter(connector=connector_id)
    # The revision moves with every write, so that a rotation which has read the row before leaves this one alone.
    if not rows.update(**values, revision=F("revision") + 1):
        ConnectorCredential.objects.create(connector_id=connector_id, **values)


def credential_open(connector_id: ConnectorId) -> Secret | None:
    """The connector's opened credential; None where there is none. Raises `SealError` for one that does not open."""
    row = ConnectorCredential.objects.filter(connector=connector_id).values_list("kind", "ciphertext").first()
    if row is None:
        return None
    kind = CredentialKind(row[0])
    return Secret(kind, open_sealed(bytes(row[1]), binding_of(connector_id, kind)))


def reseal(connector_id: ConnectorId, kind: CredentialKind, ciphertext: bytes) -> bytes:
    """Re-encrypt a secret under the newest key. Raises `SealError`."""
    binding = binding_of(connector_id, kind)
    return seal(open_sealed(ciphertext, binding), binding)


def check_keys_in_use() -> None:
    """Raise `SealError` when a stored credential is under a key that is not configured: its syncs would fail."""
    with connection.cursor() as cursor:
        cursor.execute(_KEY_IDS_IN_USE)
        used = {row[0] for row in cursor.fetchall()}
    if used and (missing := used - configured_key_ids()):
        raise SealError(f"Credentials are under keys that are not configured: {', '.join(sorted(missing))}.")


def binding_of(connector_id: ConnectorId, kind: CredentialKind) -> Binding:
    """The associated data that binds a ciphertext to its connector and kind."""
    return Binding("connector", connector_id, kind.value)


def connector_may_write(connector: Connector) -> bool:
    """Whether the person who authorized the connector granted the scopes of writing."""
    needed = frozenset(provider_class(connector.provider).write_scopes)
    secret = credential_open(ConnectorId(connector.pk)) if needed else None
    if secret is None or secret.kind is not CredentialKind.OAUTH:
        return False
    return not missing_scopes(needed, OAuthToken.from_text(secret.reveal()).scope)


def secret_for_call(context: ExecutionContext, *, connector_id: ConnectorId) -> Secret | None:
    """The API key, or a fresh access token, for the provider's next calls; None without a credential.

    Call before every page, outside a transaction. Raises `ProviderError`, permanent once the grant is revoked.
    """
    secret = credential_open(connector_id)
    if secret is None or secret.kind is not CredentialKind.OAUTH:
        return secret
    token = OAuthToken.from_text(secret.reveal())
    if not token.is_fresh(clock.real_now()):
        try:
            token = _refresh(connector_id)
        except ServerUnavailableError as error:
            raise ProviderError(str(error)) from error
        except GrantRevokedError as error:
            why = f"{error} Authorize the connector again."
            connector_need_reauthorization(context, connector_id=connector_id, why=why)
            raise ProviderError(why, is_credential_invalid=True) from error
    return Secret(CredentialKind.OAUTH, token.access_token)


@transaction.atomic
def _refresh(connector_id: ConnectorId) -> OAuthToken:
    rows = ConnectorCredential.objects.select_related("connector").select_for_update(no_key=True, of=("self",))
    locked = rows.filter(connector=connector_id).first()
    secret = credential_open(connector_id)
    server = oauth_server_of(locked.connector.provider) if locked else None
    if server is None or secret is None:
        raise GrantRevokedError("The credential was removed.")
    # Whoever held the lock before us may have refreshed it.
    token = OAuthToken.from_text(secret.reveal())
    if token.is_fresh(clock.real_now()):
        return token
    try:
        fresh = client_for(server).refresh(token)
    except GrantRevokedError as error:
        raise GrantRevokedError(
            f"{server.label} no longer accepts the authorization: it was withdrawn or expired."
        ) from error
    credential_write(
        connector_id=connector_id, kind=CredentialKind.OAUTH, text=fresh.to_text(), expires_at=fresh.expires_at
    )
    return fresh


@transaction.atomic
def connector_need_reauthorization(context: ExecutionContext, *, connector_id: ConnectorId, why: str) -> bool:
    """Stop the connector until a person authorizes it again, and notify the admins. False if it was stopped already."""
    require(context, "connector.sync")
    return _stop_until_authorized(context, connector_for_update(connector_id), why)


@transaction.atomic
def connector_ask_reauthorization(context: ExecutionContext, *, connector_id: ConnectorId, reason: str) -> Connector:
    """Stop an enabled OAuth connector at a person's request, and notify the admins who can authorize it again.

    Raises `NotFoundError` `unknown_connector`; `UnprocessableError` `reason_required`; `ConflictError`
    `state_conflict` where it is not enabled, or has no authorization that could be renewed; `ForbiddenError`.
    """
    require(context, EDIT)
    require_reason(context, reason)
    connector = connector_for_update(connector_id)
    if not can_ask_reauthorization(connector):
        raise ConflictError(
            "Only an enabled connector that a person has authorized can be asked for a new authorization."
        )
    _stop_until_authorized(context, connector, f"Asked to be authorized again: {reason}")
    return connector


def can_ask_reauthorization(connector: Connector) -> bool:
    """Whether it is enabled and runs by a person's authorization at an OAuth server."""
    return oauth_server_of(connector.provider) is not None and connector.status in sources("need_reauthorization")


def _stop_until_authorized(context: ExecutionContext, connector: Connector, why: str) -> bool:
    state = state_of(connector)
    if state.status not in sources("need_reauthorization"):
        return False
    stopped = ConnectorState(ConnectorStatus.NEEDS_REAUTHORIZATION, state.causes)
    connector_update_state(context, connector, stopped, event=events.CONNECTOR_REAUTHORIZATION_NEEDED, reason=why)
    connector_id = ConnectorId(connector.pk)
    connector_note(context, connector_id=connector_id, kind=ConnectorEventKind.REAUTHORIZATION_NEEDED, sentence=why)
    _notify(context, connector, why)
    return True


def _notify(context: ExecutionContext, connector: Connector, why: str) -> None:
    organization = connector.workspace.organization
    recipients = notice_emails(OrganizationId(organization.pk), NoticeKind.CONNECTORS)
    if not recipients:
        return
    label, workspace = provider_label(connector.provider), connector.workspace
    mail = Mail(
        subject=f"{connector.name} needs your authorization again",
        paragraphs=(
            "Hello,",
            f"The connector {connector.name} ({label}) of the workspace {workspace.name} has stopped: {why}",
            "Please authorize it again. Nothing is lost: the sync goes on where it stopped.",
        ),
        url=public_address(reverse("billing-connector", args=[workspace.slug, connector.pk])),
        link_text="Open the connector",
        choose_url=notices_address(OrganizationId(organization.pk)),
    )
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"reauthorization:{connector.pk}:{connector.version}",
        payload=mail_payload(mail, to=recipients),
        organization_id=OrganizationId(organization.pk),
        is_demo=organization.is_demo,
    )
