"""Creates connectors and replaces their keys, for the pages and the API alike (spec 06, Credentials).

A key is tried at its provider, outside of any transaction, before anything is stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from apps.connectors import events
from apps.connectors.contracts import CheckResult, Month, ProviderError, Secret
from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, ConnectorStatus, CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, ConnectorCredential
from apps.connectors.providers.registry import (
    checked_settings,
    needs_credential,
    open_provider,
    provider_class,
    provider_label,
)
from apps.connectors.rules.causes import ConnectorState, cause_of, enable_unless_kept_off, remove_cause
from apps.connectors.selectors.connectors import connector_for_update, connector_of
from apps.connectors.services.credentials import credential_write
from apps.connectors.services.lifecycle import CREDENTIAL, EDIT, connector_update_state, start_syncing, state_of
from apps.connectors.services.refusals import (
    check_failed,
    demo_only,
    key_not_taken,
    key_unusable,
    name_missing,
    name_taken,
    refuse_first_month,
)
from apps.connectors.services.timeline import connector_note
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.free_text import refuse_key_like
from apps.core.ids import WorkspaceId
from apps.core.operations import require
from apps.core.row_versions import row_versions_attribute
from apps.subscriptions.selectors.lifecycle import unknown_workspace
from apps.subscriptions.services import lifecycle_require
from apps.subscriptions.services.change_steps import locked_workspace
from apps.tenants.models import Workspace

# Printable ASCII without blanks: what can stand in a header.
_KEY = re.compile(r"[!-~]{8,4096}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ConnectorParams:
    """A connector to create. The provider validates `settings`; `api_key` is tried before it is stored.

    `first_month` is the first that it reads; None: 13 months before the current one.
    """

    provider: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    api_key: str | None = field(default=None, repr=False)
    first_month: Month | None = None


def connector_create(context: ExecutionContext, *, workspace_id: WorkspaceId, params: ConnectorParams) -> Connector:
    """Create a connector: enabled with the credential that its provider needs, else pending.

    Raises `UnprocessableError` `unknown_provider`, `demo_only`, `credential_refused`, `credential_not_taken`,
    `month_not_begun`, `month_too_old`, or for settings and a name that can't be; `UnavailableError` where the provider
    did not answer; `ConflictError` `connector_name_taken`; `NotFoundError` `unknown_workspace`; `ForbiddenError`, also
    `lifecycle_denied`.
    """
    require(context, EDIT)
    settings = checked_settings(params.provider, params.settings)
    workspace = Workspace.objects.select_related("organization").filter(pk=workspace_id).first()
    if workspace is None:
        raise unknown_workspace(workspace_id)
    is_demo = workspace.organization.is_demo
    _validate(params, workspace_id, is_demo=is_demo)
    if params.first_month is not None:
        refuse_first_month(params.first_month, workspace.organization)
    lifecycle_require(context, workspace_id=workspace_id, operation=EDIT)
    secret = make_secret(params.provider, params.api_key)
    if secret is not None:
        check_credential(params.provider, secret, settings, is_demo=is_demo)
    return _insert(context, workspace_id, params, settings, secret)


def connector_credential_replace(context: ExecutionContext, *, connector_id: ConnectorId, api_key: str) -> Connector:
    """Replace the key by one that the provider accepts; enables a connector that was off for lack of it.

    Raises as `connector_create`, and `NotFoundError` `unknown_connector`.
    """
    require(context, CREDENTIAL)
    connector = connector_of(connector_id)
    lifecycle_require(context, workspace_id=WorkspaceId(connector.workspace_id), operation=CREDENTIAL)
    secret = make_secret(connector.provider, api_key)
    if secret is None:
        raise key_not_taken(provider_label(connector.provider))
    check_credential(connector.provider, secret, connector.settings, is_demo=connector.workspace.organization.is_demo)
    return replace_credential(context, connector_id, secret)


def _validate(params: ConnectorParams, workspace_id: WorkspaceId, *, is_demo: bool) -> None:
    """The checks that need no call to the provider."""
    if provider_class(params.provider).is_demo and not is_demo:
        raise demo_only()
    if not params.name.strip():
        raise name_missing()
    refuse_keys_in(params.settings)
    refuse_taken_name(workspace_id, params.name)


def refuse_keys_in(settings: Mapping[str, Any]) -> None:
    """Raise `UnprocessableError` for settings, which are shown, with what looks like a key."""
    for name, value in settings.items():
        if isinstance(value, str):
            refuse_key_like(f"settings.{name}", value)


def refuse_taken_name(workspace_id: WorkspaceId, name: str) -> None:
    """Raise `ConflictError` for the name of another connector; that of a removed one is free."""
    if Connector.objects.filter(workspace=workspace_id, name=name, removed_at__isnull=True).exists():
        raise name_taken(name)


def make_secret(provider: str, api_key: str | None) -> Secret | None:
    """The key as a secret; raises `UnprocessableError` for one that can't be, or that the provider does not take."""
    if api_key is None:
        return None
    if provider_class(provider).credential_kind is not CredentialKind.API_KEY:
        raise key_not_taken(provider_label(provider))
    # A line break that came along with a copied key.
    text = api_key.strip()
    if not _KEY.fullmatch(text):
        raise key_unusable()
    return Secret(CredentialKind.API_KEY, text)


def check_credential(provider: str, secret: Secret, settings: Mapping[str, Any], *, is_demo: bool) -> CheckResult:
    """Try the credential at its provider; raises `UnprocessableError`, `UnavailableError`."""
    try:
        return open_provider(provider, secret, settings, is_demo=is_demo).check()
    except ProviderError as error:
        raise check_failed(error) from None


@transaction.atomic
def _insert(
    context: ExecutionContext,
    workspace_id: WorkspaceId,
    params: ConnectorParams,
    settings: dict[str, Any],
    secret: Secret | None,
) -> Connector:
    workspace = locked_workspace(workspace_id)
    # Asked again under the lock, which two who create at once take one after the other.
    _validate(params, workspace_id, is_demo=workspace.organization.is_demo)
    row_versions_attribute(context)
    is_ready = secret is not None or not needs_credential(params.provider)
    connector = Connector.objects.create(
        workspace=workspace,
        provider=params.provider,
        name=params.name,
        settings=settings,
        status=ConnectorStatus.ENABLED if is_ready else ConnectorStatus.PENDING,
        next_due_at=clock.now(),
        first_month=str(params.first_month or ""),
    )
    _note_creation(context, connector, secret)
    if is_ready:
        start_syncing(connector)
    audit_append(
        context,
        events.CONNECTOR_CREATED,
        connector.audit_target,
        after={
            "provider": connector.provider,
            "name": connector.name,
            "settings": settings,
            "status": str(connector.status),
            "first_month": connector.first_month,
            "last_four": secret.last_four if secret else None,
        },
    )
    return connector


def _note_creation(context: ExecutionContext, connector: Connector, secret: Secret | None) -> None:
    connector_id = ConnectorId(connector.pk)
    words = f"Created, for {provider_label(connector.provider)}."
    if connector.status == ConnectorStatus.PENDING:
        words += " Waiting for its credential."
    connector_note(context, connector_id=connector_id, kind=ConnectorEventKind.CREATED, sentence=words)
    if secret is not None:
        _store_credential(context, connector, secret, ConnectorEventKind.CREDENTIAL_STORED)


def _store_credential(
    context: ExecutionContext, connector: Connector, secret: Secret, kind: ConnectorEventKind
) -> None:
    connector_id = ConnectorId(connector.pk)
    credential_write(connector_id=connector_id, kind=secret.kind, text=secret.reveal())
    ending = f" that ends in {secret.last_four}" if secret.last_four else ""
    is_demo = connector.workspace.organization.is_demo
    asked = "A demo calls no provider" if is_demo else f"{provider_label(connector.provider)} accepted it"
    sentence = f"The key{ending} is stored. {asked}."
    connector_note(context, connector_id=connector_id, kind=kind, sentence=sentence)


@transaction.atomic
def replace_credential(context: ExecutionContext, connector_id: ConnectorId, secret: Secret) -> Connector:
    """Store a key that was accepted, and enable a connector that was off for lack of it."""
    connector = connector_for_update(connector_id)
    before = ConnectorCredential.objects.filter(connector=connector_id).values_list("last_four", flat=True).first()
    is_first = before is None
    kind = ConnectorEventKind.CREDENTIAL_STORED if is_first else ConnectorEventKind.CREDENTIAL_REPLACED
    _store_credential(context, connector, secret, kind)
    state = remove_cause(state_of(connector), cause_of(AutoDisableReason.CREDENTIAL_INVALID, is_of_workspace=False))
    is_waiting = state.status in {ConnectorStatus.PENDING, ConnectorStatus.NEEDS_REAUTHORIZATION}
    after = enable_unless_kept_off(state) if is_waiting else state
    _note_enabled(context, connector, after)
    if after != state_of(connector):
        connector_update_state(context, connector, after, event=events.CONNECTOR_ENABLED, reason="the key was replaced")
    audit_append(
        context,
        events.CREDENTIAL_STORED if is_first else events.CREDENTIAL_REPLACED,
        connector.audit_target,
        before={"last_four": before},
        after={"last_four": secret.last_four},
    )
    return connector


def _note_enabled(context: ExecutionContext, connector: Connector, after: ConnectorState) -> None:
    if after.status is ConnectorStatus.ENABLED and connector.status != ConnectorStatus.ENABLED:
        connector_note(
            context,
            connector_id=ConnectorId(connector.pk),
            kind=ConnectorEventKind.ENABLED,
            sentence="Enabled: its provider accepts the key.",
        )
