"""A fresh Google token for a call, renewed once however many workers need it (spec 06, Google authorization).

The renewal holds the lock of the credential's row: whoever waits for it finds the fresh token afterwards. A grant that
Google takes no more puts the connector in `needs_reauthorization`, and its workspace's admins are told.
"""

from __future__ import annotations

from django.db import transaction
from django.urls import reverse

from apps.connectors import events
from apps.connectors.contracts import ProviderError, Secret
from apps.connectors.credentials import credential_open, credential_write
from apps.connectors.enums import ConnectorEventKind, ConnectorStatus, CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, ConnectorCredential
from apps.connectors.oauth.client import (
    GoogleGrantInvalidError,
    GoogleToken,
    GoogleUnreachableError,
    from_text,
    google_configuration,
    refresh,
    to_text,
)
from apps.connectors.providers.registry import provider_classes, provider_label
from apps.connectors.rules.causes import Standing
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connector_for_update
from apps.connectors.services.lifecycle import EDIT, connector_settle, standing_of
from apps.connectors.services.timeline import connector_note
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.errors import ConflictError
from apps.core.gate import require
from apps.core.ids import OrganizationId
from apps.core.mails import Mail, mail_payload, public_address
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.subscriptions.services.guards import require_reason
from apps.tenants.models import Membership

_REVOKED = "Google takes the authorization no more: it was withdrawn, or its time is over. Authorize again."


def secret_for_call(context: ExecutionContext, *, connector_id: ConnectorId) -> Secret | None:
    """What the provider is handed for its next calls: the key, or an access token that is fresh; None without one.

    Ask before every page, outside a transaction. Raises `ProviderError`, for good where a person must authorize again.
    """
    secret = credential_open(connector_id)
    if secret is None or secret.kind is not CredentialKind.OAUTH:
        return secret
    token = from_text(secret.reveal())
    if not token.is_fresh(clock.now()):
        token = _renewed(context, connector_id)
    return Secret(CredentialKind.OAUTH, token.access_token)


def _renewed(context: ExecutionContext, connector_id: ConnectorId) -> GoogleToken:
    try:
        return _renew(connector_id)
    except GoogleUnreachableError as error:
        raise ProviderError(str(error)) from error
    except GoogleGrantInvalidError as error:
        connector_need_reauthorization(context, connector_id=connector_id)
        raise ProviderError(_REVOKED, is_credential_invalid=True) from error


@transaction.atomic
def _renew(connector_id: ConnectorId) -> GoogleToken:
    locked = ConnectorCredential.objects.select_for_update(no_key=True).filter(connector=connector_id).first()
    secret = credential_open(connector_id) if locked else None
    if secret is None:
        raise GoogleGrantInvalidError("The credential was removed meanwhile.")
    # Whoever held the lock before us may have renewed it.
    token = from_text(secret.reveal())
    if token.is_fresh(clock.now()):
        return token
    fresh = refresh(google_configuration(), token)
    credential_write(
        connector_id=connector_id, kind=CredentialKind.OAUTH, text=to_text(fresh), expires_at=fresh.expires_at
    )
    return fresh


@transaction.atomic
def connector_need_reauthorization(context: ExecutionContext, *, connector_id: ConnectorId) -> bool:
    """Stop the connector until a person authorizes it again, and tell the workspace's admins. False if it was so."""
    require(context, "connector.sync")
    return _stop_until_authorized(context, connector_for_update(connector_id), _REVOKED)


@transaction.atomic
def connector_ask_reauthorization(context: ExecutionContext, *, connector_id: ConnectorId, reason: str) -> Connector:
    """Stop an enabled Google connector by a person's wish, until its workspace's admins, who are told, authorize again.

    Raises `NotFoundError` `unknown_connector`; `UnprocessableError` `reason_required`; `ConflictError`
    `state_conflict` where it is not enabled, or has no authorization that could be renewed; `ForbiddenError`.
    """
    require(context, EDIT)
    require_reason(context, reason)
    connector = connector_for_update(connector_id)
    if not can_ask_reauthorization(connector):
        raise ConflictError("Only an enabled connector that is authorized at Google can be asked to authorize again.")
    _stop_until_authorized(context, connector, f"Asked to be authorized again: {reason}")
    return connector


def can_ask_reauthorization(connector: Connector) -> bool:
    """Whether it runs by an authorization that a person gave at Google."""
    found = provider_classes().get(connector.provider)
    is_of_google = found is not None and found.credential_kind is CredentialKind.OAUTH
    return is_of_google and connector.status in sources("need_reauthorization")


def _stop_until_authorized(context: ExecutionContext, connector: Connector, why: str) -> bool:
    standing = standing_of(connector)
    if standing.status not in sources("need_reauthorization"):
        return False
    needing = Standing(ConnectorStatus.NEEDS_REAUTHORIZATION, standing.causes)
    connector_settle(context, connector, needing, event=events.CONNECTOR_REAUTHORIZATION_NEEDED, reason=why)
    connector_id = ConnectorId(connector.pk)
    connector_note(context, connector_id=connector_id, kind=ConnectorEventKind.REAUTHORIZATION_NEEDED, sentence=why)
    _tell_admins(context, connector, why)
    return True


def _tell_admins(context: ExecutionContext, connector: Connector, why: str) -> None:
    organization = connector.workspace.organization
    admins = Membership.objects.filter(
        organization=organization, role__in=[MembershipRole.OWNER, MembershipRole.ADMIN]
    ).order_by("user__email")
    recipients = list(admins.values_list("user__email", flat=True))
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
    )
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"reauthorization:{connector.pk}:{connector.version}",
        payload=mail_payload(mail, to=recipients),
        organization_id=OrganizationId(organization.pk),
        is_demo=organization.is_demo,
    )
