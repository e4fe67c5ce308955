"""Connectors to read, and the functions that lock them.

Order of locks: connectors in the order of their ids, then the credential, and the audit chain last.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.db.models import QuerySet

from apps.connectors.contracts import Month
from apps.connectors.enums import ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import format_count
from apps.connectors.models import Connector, ConnectorEvent
from apps.connectors.rules.months import first_month_of
from apps.core.errors import NotFoundError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import zone_of


def connector_for_update(connector_id: ConnectorId) -> Connector:
    """Lock the connector until the transaction ends; raises `NotFoundError` `unknown_connector`."""
    rows = Connector.objects.select_related("workspace__organization").select_for_update(no_key=True, of=("self",))
    connector = rows.filter(pk=connector_id, removed_at__isnull=True).first()
    if connector is None:
        raise unknown_connector(connector_id)
    return connector


def connectors_for_update(organization_id: OrganizationId, workspace_id: WorkspaceId | None) -> list[Connector]:
    """Lock every connector of the organization, or of its one workspace, in the order of their ids."""
    rows = Connector.objects.select_for_update(no_key=True, of=("self",)).filter(
        workspace__organization=organization_id, removed_at__isnull=True
    )
    if workspace_id is not None:
        rows = rows.filter(workspace=workspace_id)
    return list(rows.only("pk", "status", "auto_disable_causes", "workspace_id").order_by("pk"))


def connector_of(connector_id: ConnectorId) -> Connector:
    """The connector with its workspace and organization; raises `NotFoundError` `unknown_connector`."""
    connector = connectors().filter(pk=connector_id).first()
    if connector is None:
        raise unknown_connector(connector_id)
    return connector


def first_month(connector: Connector) -> Month:
    """The first month that the connector reads; its organization must be loaded, or is read."""
    zone = zone_of(connector.workspace.organization.time_zone)
    return first_month_of(connector.first_month, connector.created_at, zone)


def connectors() -> QuerySet[Connector]:
    """Every connector that is not removed, with its workspace, organization and credential, to read."""
    return with_removed_connectors().filter(removed_at__isnull=True)


def with_removed_connectors() -> QuerySet[Connector]:
    """As `connectors`, and those that are kept for their records alone."""
    return Connector.objects.select_related("workspace__organization", "credential").defer("credential__ciphertext")


def connectors_of_workspace(workspace_id: WorkspaceId) -> QuerySet[Connector]:
    """The workspace's connectors, by name."""
    return connectors().filter(workspace=workspace_id).order_by("name", "pk")


def connectors_with_records(workspace_id: WorkspaceId) -> QuerySet[Connector]:
    """The workspace's connectors by name, and those that are kept for their records alone."""
    return with_removed_connectors().filter(workspace=workspace_id).order_by("name", "pk")


def connector_timeline(connector_id: ConnectorId) -> QuerySet[ConnectorEvent]:
    """What became of the connector, newest first."""
    return ConnectorEvent.objects.filter(connector=connector_id).order_by("-pk")


def unknown_connector(connector_id: ConnectorId) -> NotFoundError:
    """The answer for a connector that is not there."""
    return NotFoundError(f"There is no connector {connector_id}.", code="unknown_connector", title="Unknown connector")


_MOST_NAMES = 10


def describe_status_changes(workspace_id: WorkspaceId) -> Callable[[], list[str]]:
    """Look at the connectors of the workspace's organization; what is returned tells which were switched since."""
    before = _read_statuses(workspace_id)

    def describe() -> list[str]:
        after = _read_statuses(workspace_id)
        moved = [key for key, (_, status) in after.items() if key in before and before[key][1] != status]
        is_on = ConnectorStatus.ENABLED
        off = [after[key][0] for key in moved if before[key][1] == is_on]
        on = [after[key][0] for key in moved if after[key][1] == is_on]
        groups = ((off, "will be switched off"), (on, "will be enabled again"))
        return [
            f"{format_count(len(names), 'connector')} {verb}: {_join_names(names)}." for names, verb in groups if names
        ]

    return describe


def _read_statuses(workspace_id: WorkspaceId) -> dict[UUID, tuple[str, str]]:
    # Of the whole organization: a change of its payment config reaches each of its workspaces.
    rows = Connector.objects.filter(workspace__organization__workspaces=workspace_id).order_by("name", "pk")
    found = rows.values_list("pk", "name", "workspace__name", "status")
    return {key: (f"{name} ({workspace})", status) for key, name, workspace, status in found}


def _join_names(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
