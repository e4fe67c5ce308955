"""What a staff change does to connectors, for its preview (spec 03, Preview; spec 04, Auto-disable)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.connectors.wording import counted
from apps.core.ids import WorkspaceId

_NAMED = 10


def connector_lines(workspace_id: WorkspaceId) -> Callable[[], list[str]]:
    """Look at the connectors of the workspace's organization; what is returned tells which were switched since."""
    before = _statuses(workspace_id)

    def tell() -> list[str]:
        after = _statuses(workspace_id)
        moved = [key for key, (_, status) in after.items() if key in before and before[key][1] != status]
        is_on = ConnectorStatus.ENABLED
        off = [after[key][0] for key in moved if before[key][1] == is_on]
        on = [after[key][0] for key in moved if after[key][1] == is_on]
        lines = ((off, "will be switched off"), (on, "will be enabled again"))
        return [f"{counted(len(names), 'connector')} {verb}: {_named(names)}." for names, verb in lines if names]

    return tell


def _statuses(workspace_id: WorkspaceId) -> dict[UUID, tuple[str, str]]:
    # Of the whole organization: a change of its payment config reaches each of its workspaces.
    rows = Connector.objects.filter(workspace__organization__workspaces=workspace_id).order_by("name", "pk")
    found = rows.values_list("pk", "name", "workspace__name", "status")
    return {key: (f"{name} ({workspace})", status) for key, name, workspace, status in found}


def _named(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
