"""Sample connectors with the records of a year. Nobody outside is asked: `sample_providers` stand in for Northwind's,
and those are disabled afterwards, as their keys are none; in a demo every provider is the built-in one."""

from __future__ import annotations

from datetime import UTC, timedelta

from apps.backoffice.seeding.data import seed_id
from apps.backoffice.seeding.sample_providers import SampleFeed, SampleStripe
from apps.connectors.contracts import Month, Provider, Secret
from apps.connectors.enums import CredentialKind
from apps.connectors.ids import ConnectorId, SyncRunId
from apps.connectors.models import Connector
from apps.connectors.rules.months import month_of
from apps.connectors.services import ConnectorParams, connector_create, connector_disable
from apps.connectors.services.onboarding import replace_credential
from apps.connectors.sync.engine import Opener, open_for, sync_run_execute
from apps.connectors.sync.requests import sync_request
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import WorkspaceId

_FEED = {"base_url": "https://usage.example.com/feed", "header": "X-Api-Key", "format": "json"}
WISHES: tuple[tuple[str, ConnectorParams, type[Provider] | None], ...] = (
    ("northwind-production", ConnectorParams("stripe", "Stripe"), SampleStripe),
    ("northwind-production", ConnectorParams("usage_feed", "Usage of the data centre", _FEED), SampleFeed),
    ("northwind-staging", ConnectorParams("orb", "Orb"), None),
)
_SAMPLE_KEY = "sample-key-that-opens-nothing"
NOT_REAL = "The records are sample data and the key opens nothing. Replace the key, then enable, to sync your own."
# In the demo organization every provider is the built-in one, so that a key is taken without asking anybody.
DEMO_WISHES: tuple[tuple[ConnectorParams, Opener], ...] = (
    (ConnectorParams("demo", "Sample usage"), open_for),
    (ConnectorParams("stripe", "Stripe of the demo", api_key=_SAMPLE_KEY), lambda run: SampleStripe(None, {})),
    (ConnectorParams("usage_feed", "Old data centre", _FEED, _SAMPLE_KEY), lambda run: SampleFeed(None, {})),
)
DISABLED = "Old data centre"
# Of one that was disabled, the last months are enough.
_MONTHS_OF_DISABLED = 3
# Made so long ago, and synced since.
_MADE_AGO, _SYNCED_AGO = timedelta(days=19), timedelta(hours=2)


def seed_connectors(context: ExecutionContext) -> None:
    """Create the sample connectors and sync them; existing ones, found by name, stay as they are."""
    now = clock.now()
    for slug, wish, provider in WISHES:
        with clock.as_of(now - _MADE_AGO):
            made = _seed(context, WorkspaceId(seed_id(f"workspace:{slug}")), wish)
        if made is None or provider is None:
            continue
        connector_id, stand_in = ConnectorId(made.pk), provider(None, {})
        with clock.as_of(now - _MADE_AGO + timedelta(minutes=3)):
            replace_credential(context, connector_id, Secret(CredentialKind.API_KEY, _SAMPLE_KEY))
        for ago in (_MADE_AGO - timedelta(minutes=5), _SYNCED_AGO):
            with clock.as_of(now - ago):
                _sync(context, connector_id, _always(stand_in))
        connector_disable(context, connector_id=connector_id, reason=NOT_REAL)


def seed_demo_connectors(context: ExecutionContext, workspace_id: WorkspaceId) -> None:
    """Create the connectors of the demo and sync them, since the hourly sync leaves out demo organizations."""
    current = month_of(clock.now(), UTC)
    for wish, opened in DEMO_WISHES:
        made = _seed(context, workspace_id, wish)
        if made is None:
            continue
        connector_id = ConnectorId(made.pk)
        if made.name != DISABLED:
            _sync(context, connector_id, opened)
            continue
        for back in range(_MONTHS_OF_DISABLED):
            _sync(context, connector_id, opened, current.shifted(-back))
        connector_disable(context, connector_id=connector_id, reason="The data centre was closed.")


def _always(stand_in: Provider) -> Opener:
    return lambda run: stand_in


def _sync(context: ExecutionContext, connector_id: ConnectorId, opened: Opener, month: Month | None = None) -> None:
    for asked in sync_request(context, connector_id=connector_id, month=month):
        sync_run_execute(SyncRunId(asked.run.pk), opened=opened)


def _seed(context: ExecutionContext, workspace_id: WorkspaceId, wish: ConnectorParams) -> Connector | None:
    """Create the connector; None if it exists."""
    if Connector.objects.filter(workspace=workspace_id, name=wish.name).exists():
        return None
    return connector_create(context, workspace_id=workspace_id, params=wish)
