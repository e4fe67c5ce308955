"""Edits and removes a connector: its name, its settings, its key (spec 06, Connector).

Another address is tried with the key before anything is stored. The stored key goes to no host but the one that it was
given for: whoever names another one gives the key again, as nobody may read it by moving the connector to a host of
theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.connectors import events
from apps.connectors.contracts import ProviderError, Secret
from apps.connectors.enums import ConnectorEventKind, ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, ConnectorCredential
from apps.connectors.providers.registry import checked_settings, provider_class
from apps.connectors.selectors.connectors import connector_for_update, connector_of
from apps.connectors.services.credentials import secret_for_call
from apps.connectors.services.lifecycle import CREDENTIAL, DISABLE, EDIT, start_syncing
from apps.connectors.services.onboarding import (
    check_credential,
    check_failed,
    key_missing,
    make_secret,
    name_missing,
    refuse_keys_in,
    refuse_taken_name,
    replace_credential,
)
from apps.connectors.services.timeline import connector_note
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import WorkspaceId
from apps.core.operations import require
from apps.core.row_versions import row_versions_attribute
from apps.subscriptions.services import lifecycle_require
from apps.subscriptions.services.change_steps import locked_workspace, require_reason


@dataclass(frozen=True, slots=True)
class ConnectorChanges:
    """What to change; None leaves it as it is. `settings` are all of them: one that is left out has its default."""

    name: str | None = None
    settings: Mapping[str, Any] | None = None
    api_key: str | None = None
    reason: str = ""

    @property
    def operation(self) -> str:
        """What it asks for: another key alone mends the connector, which more states allow than an edit."""
        is_key_alone = self.api_key is not None and self.name is None and self.settings is None
        return CREDENTIAL if is_key_alone else EDIT


def connector_update(context: ExecutionContext, *, connector_id: ConnectorId, changes: ConnectorChanges) -> Connector:
    """Change the connector; with other settings it is read anew at once.

    Raises as `connector_create`; `UnprocessableError` `credential_required` for another host without its key.
    """
    require(context, changes.operation)
    connector = connector_of(connector_id)
    lifecycle_require(context, workspace_id=WorkspaceId(connector.workspace_id), operation=changes.operation)
    name = connector.name if changes.name is None else changes.name
    if not name.strip():
        raise name_missing()
    settings = connector.settings
    if changes.settings is not None:
        settings = checked_settings(connector.provider, changes.settings)
        refuse_keys_in(settings)
    secret = make_secret(connector.provider, changes.api_key)
    if secret is not None or settings != connector.settings:
        _check(context, connector, settings, secret)
    return _update(context, connector_id, name, settings, secret, changes.reason)


def _check(context: ExecutionContext, connector: Connector, settings: Mapping[str, Any], secret: Secret | None) -> None:
    """Try the key, the new one or the stored one, with the settings. A connector without a key waits for one."""
    is_demo = connector.workspace.organization.is_demo
    if secret is None and not is_demo:
        form = provider_class(connector.provider).settings_form
        before = form.model_construct(**connector.settings).key_host
        has_key = ConnectorCredential.objects.filter(connector=connector.pk).exists()
        if has_key and before != form.model_validate(dict(settings)).key_host:
            raise key_missing()
        try:
            secret = secret_for_call(context, connector_id=ConnectorId(connector.pk))
        except ProviderError as error:
            raise check_failed(error) from None
    if secret is not None:
        check_credential(connector.provider, secret, settings, is_demo=is_demo)


@transaction.atomic
def _update(
    context: ExecutionContext,
    connector_id: ConnectorId,
    name: str,
    settings: Mapping[str, Any],
    secret: Secret | None,
    reason: str,
) -> Connector:
    # Two who rename at once take one after the other.
    locked_workspace(WorkspaceId(connector_of(connector_id).workspace_id))
    connector = connector_for_update(connector_id)
    before = {"name": connector.name, "settings": connector.settings}
    after = {"name": name, "settings": dict(settings)}
    if before != after:
        if name != connector.name:
            refuse_taken_name(WorkspaceId(connector.workspace_id), name)
        connector.name, connector.settings = name, dict(settings)
        row_versions_attribute(context, reason=reason)
        connector.save(update_fields=["name", "settings"])
        sentence = _describe(before, {"name": connector.name, "settings": connector.settings})
        kind = ConnectorEventKind.SETTINGS_CHANGED
        connector_note(context, connector_id=connector_id, kind=kind, sentence=sentence)
        audit_append(
            context, events.CONNECTOR_EDITED, connector.audit_target, before=before, after=after, reason=reason
        )
    if secret is not None:
        connector = replace_credential(context, connector_id, secret)
    if before["settings"] != after["settings"] and connector.status == ConnectorStatus.ENABLED:
        start_syncing(connector)
    return connector


def _describe(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What changed. Of the settings the names alone: an address can be long, and the page shows it."""
    old, new = before["settings"], after["settings"]
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    renamed = f"Renamed from {before['name']} to {after['name']}." if before["name"] != after["name"] else ""
    changed = f"Changed: {', '.join(names)}." if names else ""
    return " ".join(filter(None, (renamed, changed)))


@transaction.atomic
def connector_remove(context: ExecutionContext, *, connector_id: ConnectorId, reason: str) -> Connector:
    """Remove the connector: it is off for good and in no list, its key is deleted, its name is free. Its records stay.

    A sync that runs ends before its next page. Raises `NotFoundError` `unknown_connector`; `UnprocessableError`
    `reason_required` for a person who gives none; `ForbiddenError`.
    """
    require(context, DISABLE)
    require_reason(context, reason)
    connector = connector_for_update(connector_id)
    before = {"status": str(connector.status), "removed": False}
    connector.status, connector.auto_disable_reason = ConnectorStatus.DISABLED, ""
    connector.removed_at = clock.now()
    row_versions_attribute(context, reason=reason)
    connector.save(update_fields=["status", "auto_disable_reason", "removed_at"])
    ConnectorCredential.objects.filter(connector=connector_id).delete()
    connector_note(
        context,
        connector_id=connector_id,
        kind=ConnectorEventKind.REMOVED,
        sentence=f"Removed, with its key; its records stay: {reason}" if reason else "Removed; its records stay.",
    )
    after = {"status": str(connector.status), "removed": True}
    audit_append(context, events.CONNECTOR_REMOVED, connector.audit_target, before=before, after=after, reason=reason)
    return connector
