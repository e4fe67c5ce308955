"""The only code that changes connectors: guard, lock, change named fields, audit, in one transaction."""

from __future__ import annotations

from apps.connectors.services.auto_disable import connector_auto_disable, connectors_auto_disable, connectors_restore
from apps.connectors.services.editing import ConnectorChanges, connector_remove, connector_update
from apps.connectors.services.lifecycle import connector_disable, connector_enable
from apps.connectors.services.onboarding import ConnectorParams, connector_create, connector_credential_replace
from apps.connectors.services.rotation import credential_keys_rotate
from apps.connectors.services.timeline import connector_note

__all__ = [
    "ConnectorChanges",
    "ConnectorParams",
    "connector_auto_disable",
    "connector_create",
    "connector_credential_replace",
    "connector_disable",
    "connector_enable",
    "connector_note",
    "connector_remove",
    "connector_update",
    "connectors_auto_disable",
    "connectors_restore",
    "credential_keys_rotate",
]
