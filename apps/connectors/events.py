"""Audit events of the connectors app."""

from __future__ import annotations

from apps.core.audit_events import audit_event

CONNECTOR_CREATED = audit_event("connector.created", "Connector created")
CONNECTOR_ENABLED = audit_event("connector.enabled", "Connector enabled")
CONNECTOR_DISABLED = audit_event("connector.disabled", "Connector disabled")
CONNECTORS_AUTO_DISABLED = audit_event("connector.auto_disabled", "Connectors auto-disabled")
CONNECTORS_RESTORED = audit_event("connector.restored", "Connectors enabled again, as their cause went away")
CONNECTOR_AUTHORIZED = audit_event("connector.authorized", "Connector authorized")
CONNECTOR_REAUTHORIZATION_NEEDED = audit_event(
    "connector.reauthorization_needed", "Connector stopped until a person authorizes it again"
)
CREDENTIAL_STORED = audit_event("connector.credential_stored", "Connector's credential stored")
CREDENTIAL_REPLACED = audit_event("connector.credential_replaced", "Connector's credential replaced")
CREDENTIALS_ROTATED = audit_event("credentials.rotated", "Credentials re-encrypted under the newest key")
SYNC_REQUESTED = audit_event("sync.requested", "Sync requested")
SHRINK_CONFIRMED = audit_event("sync.shrink_confirmed", "Confirmed that a month may become so small")
SHRINK_REJECTED = audit_event("sync.shrink_rejected", "Kept the records of a month that would become small")
CONNECTOR_EDITED = audit_event("connector.edited", "Connector edited")
CONNECTOR_REMOVED = audit_event("connector.removed", "Connector removed")
SYNC_CANCELLED = audit_event("sync.cancelled", "Sync cancelled")
