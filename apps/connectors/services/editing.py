"""Edits and removes a connector: its name, its settings, its key (spec 06, Connector).

Another address is tried with the key before anything is stored. The stored key goes to no host but the one that it was
given for: whoever names another one gives the key again, as nobody may read it by moving the connector to a host of
theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import transaction

from apps.connectors import events
from apps.connectors.contracts import Month, ProviderError, Secret
from apps.connectors.enums import ConnectorEventKind, ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, ConnectorCredential
from apps.connectors.providers.registry import checked_settings, provider_class
from apps.connectors.selectors.connectors import connector_for_update, connector_of, first_month
from apps.connectors.services.credentials import secret_for_call
from apps.connectors.services.lifecycle import CREDENTIAL, DISABLE, EDIT, start_syncing
from apps.connectors.services.onboarding import (
    check_credential,
    make_secret,
    refuse_keys_in,
    refuse_taken_name,
    replace_credential,
)
from apps.connectors.services.refusals import check_failed, key_missing, name_missing, refuse_first_month
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
    first_month: Month | None = None
    reason: str = ""

    @property
    def operation(self) -> str:
        """What it asks for: another key alone mends the connector, which more states allow than an edit."""
        others = (self.name, self.settings, self.first_month)
        is_key_alone = self.api_key is not None and all(value is None for value in others)
        return CREDENTIAL if is_key_alone else EDIT


class _Values(NamedTuple):
    """What an edit sets, under the names of the columns."""

    name: str
    settings: dict[str, Any]
    first_month: str


def connector_update(context: ExecutionContext, *, connector_id: ConnectorId, changes: ConnectorChanges) -> Connector:
    """Change the connector; with other settings, or an earlier first month, it is read anew at once.

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
    first = connector.first_month
    # The one that it has stays as it is, however long ago it was chosen.
    if changes.first_month is not None and changes.first_month != first_month(connector):
        refuse_first_month(changes.first_month, connector.workspace.organization)
        first = str(changes.first_month)
    secret = make_secret(connector.provider, changes.api_key)
    if secret is not None or settings != connector.settings:
        _check(context, connector, settings, secret)
    return _update(context, connector_id, _Values(name, dict(settings), first), secret, changes.reason)


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
    after: _Values,
    secret: Secret | None,
    reason: str,
) -> Connector:
    # Two who rename at once take one after the other.
    locked_workspace(WorkspaceId(connector_of(connector_id).workspace_id))
    connector = connector_for_update(connector_id)
    before, first_before = _Values(connector.name, connector.settings, connector.first_month), first_month(connector)
    if before != after:
        if after.name != connector.name:
            refuse_taken_name(WorkspaceId(connector.workspace_id), after.name)
        connector.name, connector.settings, connector.first_month = after
        row_versions_attribute(context, reason=reason)
        connector.save(update_fields=_Values._fields)
        sentence = _describe(before, _Values(connector.name, connector.settings, connector.first_month))
        kind = ConnectorEventKind.SETTINGS_CHANGED
        connector_note(context, connector_id=connector_id, kind=kind, sentence=sentence)
        audit_append(
            context,
            events.CONNECTOR_EDITED,
            connector.audit_target,
            before=before._asdict(),
            after=after._asdict(),
            reason=reason,
        )
    if secret is not None:
        connector = replace_credential(context, connector_id, secret)
    is_more = before.settings != after.settings or first_month(connector) < first_before
    if is_more and connector.status == ConnectorStatus.ENABLED:
        start_syncing(connector)
    return connector


def _describe(before: _Values, after: _Values) -> str:
    """What changed. Of the settings the names alone: an address can be long, and the page shows it."""
    old, new = before.settings, after.settings
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    renamed = f"Renamed from {before.name} to {after.name}." if before.name != after.name else ""
    changed = f"Changed: {', '.join(names)}." if names else ""
    begins = f"Reads from {after.first_month} on." if before.first_month != after.first_month else ""
    return " ".join(filter(None, (renamed, changed, begins)))


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
