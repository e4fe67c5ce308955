"""Sample connectors. Those outside the demo organization have no credential, so that nothing is called."""

from __future__ import annotations

from apps.backoffice.seeding.data import seed_id
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector
from apps.connectors.services import ConnectorParams, connector_create, connector_disable
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.requests import sync_request
from apps.core.context import ExecutionContext
from apps.core.ids import WorkspaceId

_FEED = {"base_url": "https://usage.example.com/feed", "header": "X-Api-Key", "format": "json"}
WISHES: tuple[tuple[str, ConnectorParams], ...] = (
    ("northwind-production", ConnectorParams("stripe", "Stripe")),
    ("northwind-production", ConnectorParams("usage_feed", "Usage of the data centre", _FEED)),
    ("northwind-staging", ConnectorParams("orb", "Orb")),
)
# In the demo organization every provider is the built-in one, so that a key is taken without asking anybody.
_DEMO_KEY = "sample-key-of-the-demo"
DEMO_WISHES = (
    ConnectorParams("demo", "Sample usage"),
    ConnectorParams("stripe", "Stripe of the demo", api_key=_DEMO_KEY),
    ConnectorParams("usage_feed", "Old data centre", _FEED, _DEMO_KEY),
)
DISABLED = "Old data centre"


def seed_connectors(context: ExecutionContext) -> None:
    """Create the sample connectors; existing ones, found by name, stay as they are."""
    for slug, wish in WISHES:
        _seed(context, WorkspaceId(seed_id(f"workspace:{slug}")), wish)


def seed_demo_connectors(context: ExecutionContext, workspace_id: WorkspaceId) -> None:
    """Create the connectors of the demo and sync the first one, since the hourly sync leaves out demo organizations."""
    for wish in DEMO_WISHES:
        made = _seed(context, workspace_id, wish)
        if made is not None and wish.provider == "demo":
            for asked in sync_request(context, connector_id=ConnectorId(made.pk)):
                sync_run_execute(SyncRunId(asked.run.pk))


def _seed(context: ExecutionContext, workspace_id: WorkspaceId, wish: ConnectorParams) -> Connector | None:
    """Create the connector; None if it exists."""
    if Connector.objects.filter(workspace=workspace_id, name=wish.name).exists():
        return None
    made = connector_create(context, workspace_id=workspace_id, params=wish)
    if made.name == DISABLED:
        reason = "The data centre was closed in March."
        connector_disable(context, connector_id=ConnectorId(made.pk), reason=reason)
    return made
