"""The connectors of the access table: one that runs and one that is off in each tenant, and the requests about them."""

from __future__ import annotations

import uuid
from typing import Any

from apps.connectors.enums import ConnectorStatus, SyncStatus, SyncTrigger
from apps.connectors.models import Connector, SyncRun
from apps.core import clock
from apps.core.enums import AuthorizationSource, Role
from apps.tenants.models import Workspace


def make_connectors(workspace: Workspace) -> tuple[uuid.UUID, uuid.UUID]:
    """The ids of an enabled and of a disabled connector, whose provider needs no credential and is never asked."""
    pair = [
        Connector.objects.create(workspace=workspace, provider="demo", name=status.label, status=status)
        for status in (ConnectorStatus.ENABLED, ConnectorStatus.DISABLED)
    ]
    # A sync needs a lifecycle that allows it.
    Workspace.objects.filter(pk=workspace.pk).update(
        manual_lifecycle_state="active", manual_lifecycle_reason="for the table"
    )
    make_sync_run(pair[0])
    return pair[0].pk, pair[1].pk


def make_sync_run(connector: Connector) -> None:
    """A run that is over, under the connector's own id, so that the table need not carry another."""
    SyncRun.objects.create(
        id=connector.pk,
        connector=connector,
        month="2026-03",
        trigger=SyncTrigger.SCHEDULE,
        reason="for the table",
        status=SyncStatus.SUCCEEDED,
        actor_label="for the table",
        role=Role.SYSTEM,
        authorization_source=AuthorizationSource.SCHEDULER,
        request_id="for-the-table",
        created_at=clock.now(),
        started_at=clock.now(),
        finished_at=clock.now(),
    )


def connector_requests(
    workspace_id: uuid.UUID, connector_id: uuid.UUID, disabled_connector_id: uuid.UUID
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """A well-formed request of each route of connectors, by the route's name."""
    reason = {"reason": "for the table"}
    return {
        "connectors": ({"workspace_id": workspace_id}, {"provider": "stripe", "name": "New", "settings": {}}),
        "connector": ({"connector_id": connector_id}, {}),
        "month-confirm": ({"connector_id": connector_id, "month": "2026-04"}, reason),
        "month-reject": ({"connector_id": connector_id, "month": "2026-04"}, reason),
        "connector-enable": ({"connector_id": disabled_connector_id}, reason),
        "connector-disable": ({"connector_id": connector_id}, reason),
        "connector-syncs": ({"connector_id": connector_id}, {"month": "auto"}),
        "sync-run": ({"sync_run_id": connector_id}, {}),
        "connector-credential": ({"connector_id": connector_id}, {"api_key": "a-key-of-the-table"}),
    }
