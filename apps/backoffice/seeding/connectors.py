"""Seeds connectors: sample data in the demo, and links that wait for their credential elsewhere. Nobody is asked."""

from __future__ import annotations

from apps.backoffice.seeding.data import seed_id
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.services import ConnectorWish, connector_create, connector_disable
from apps.core.context import ExecutionContext
from apps.core.ids import WorkspaceId

_FEED = {"base_url": "https://usage.example.com/feed", "header": "X-Api-Key", "format": "json"}
# In the demo organization every provider is the built-in one, so that a key is taken without asking anybody.
_DEMO_KEY = "sample-key-of-the-demo"
WISHES: tuple[tuple[str, ConnectorWish], ...] = (
    ("demo", ConnectorWish("demo", "Sample usage")),
    ("demo", ConnectorWish("stripe", "Stripe of the demo", api_key=_DEMO_KEY)),
    ("demo", ConnectorWish("usage_feed", "Old data centre", _FEED, _DEMO_KEY)),
    ("northwind-production", ConnectorWish("stripe", "Stripe")),
    ("northwind-production", ConnectorWish("usage_feed", "Usage of the data centre", _FEED)),
    ("northwind-staging", ConnectorWish("orb", "Orb")),
)
DISABLED = "Old data centre"


def seed_connectors(context: ExecutionContext) -> None:
    """Make the sample connectors; one that is there already, by its name, stays as it is."""
    for slug, wish in WISHES:
        workspace_id = WorkspaceId(seed_id(f"workspace:{slug}"))
        if Connector.objects.filter(workspace=workspace_id, name=wish.name).exists():
            continue
        made = connector_create(context, workspace_id=workspace_id, wish=wish)
        if made.name == DISABLED:
            reason = "The data centre was closed in March."
            connector_disable(context, connector_id=ConnectorId(made.pk), reason=reason)
