"""The manual lifecycle overlay: staff's word, which counts only where no subscription record exists (spec 03)."""

from __future__ import annotations

from django.db import transaction

from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleState
from apps.core.free_text import stored_form
from apps.core.ids import WorkspaceId
from apps.core.operations import require
from apps.subscriptions import events
from apps.subscriptions.selectors.records import overlay_values
from apps.subscriptions.services.change_steps import impossible, locked_workspace, nothing_to_change
from apps.tenants.models import Workspace

OVERLAY_OPERATION = "overlays.change"


@transaction.atomic
def overlay_set(
    context: ExecutionContext, *, workspace_id: WorkspaceId, state: LifecycleState, reason: str
) -> Workspace:
    """Set the overlay. The reason is owed by everybody: the workspace shows it as long as the overlay stands.

    Raises `NotFoundError` `unknown_workspace`, `UnprocessableError`, `ConflictError` `nothing_to_change`.
    """
    require(context, OVERLAY_OPERATION)
    if not reason.strip():
        raise impossible("reason", "Say why: the reason stands beside the overlay.")
    workspace = locked_workspace(workspace_id)
    reason = stored_form(workspace, "manual_lifecycle_reason", reason)
    if (workspace.manual_lifecycle_state, workspace.manual_lifecycle_reason) == (state.value, reason):
        raise nothing_to_change(f"The overlay is already {state.value}, for this reason.")
    return _change(context, workspace, state.value, reason, events.OVERLAY_SET)


@transaction.atomic
def overlay_clear(context: ExecutionContext, *, workspace_id: WorkspaceId, reason: str) -> Workspace:
    """Clear the overlay. Raises as `overlay_set` does."""
    require(context, OVERLAY_OPERATION)
    if not reason.strip():
        raise impossible("reason", "Say why the overlay is no longer needed.")
    workspace = locked_workspace(workspace_id)
    if not workspace.manual_lifecycle_state:
        raise nothing_to_change("No overlay is set.")
    return _change(context, workspace, "", reason, events.OVERLAY_CLEARED)


def _change(context: ExecutionContext, workspace: Workspace, state: str, reason: str, event: AuditEvent) -> Workspace:
    before = overlay_values(workspace)
    workspace.manual_lifecycle_state = state
    workspace.manual_lifecycle_reason = reason if state else ""
    workspace.save(update_fields=["manual_lifecycle_state", "manual_lifecycle_reason"])
    audit_append(context, event, workspace.audit_target, before=before, after=overlay_values(workspace), reason=reason)
    return workspace
