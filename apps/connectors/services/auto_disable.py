"""Switches connectors off when a cause is added, and on again when it is removed (spec 04, Auto-disable).

Set-based: one UPDATE and one INSERT into the timeline a transition, whatever the number of connectors. How causes that
overlap are remembered: `apps.connectors.rules.causes`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from django.db import connection, transaction

from apps.connectors import events
from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import describe_added_cause, describe_removed_cause
from apps.connectors.models import Connector
from apps.connectors.rules.causes import OWN_REASONS, ConnectorState, add_cause, cause_of, remove_cause
from apps.connectors.selectors.connectors import connector_for_update, connectors_for_update
from apps.connectors.services.timeline import note_many
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import AuditTarget, OrganizationId, WorkspaceId
from apps.core.operations import require
from apps.core.row_versions import row_versions_attribute

OPERATION = "connectors.auto_disable"

# The rule of `add_cause`, for all of them at once.
_ADD_CAUSE = """
    UPDATE connectors_connector SET
        auto_disable_causes = array_append(auto_disable_causes, %(cause)s),
        auto_disable_reason = CASE WHEN status = 'enabled' THEN %(reason)s ELSE auto_disable_reason END,
        status = CASE WHEN status = 'enabled' THEN 'auto_disabled' ELSE status END
    WHERE id = ANY(%(ids)s)
"""
# The rule of `remove_cause`. The reason shown is that of the oldest cause that is left.
_REMOVE_CAUSE = """
    UPDATE connectors_connector SET
        auto_disable_causes = array_remove(auto_disable_causes, %(cause)s),
        auto_disable_reason = CASE WHEN status <> 'auto_disabled' THEN '' ELSE
            split_part(COALESCE((array_remove(auto_disable_causes, %(cause)s))[1], ''), ':', 1) END,
        status = CASE WHEN status = 'auto_disabled' AND array_remove(auto_disable_causes, %(cause)s) = '{}'
            THEN 'enabled' ELSE status END
    WHERE id = ANY(%(ids)s)
"""


@transaction.atomic
def connectors_auto_disable(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    reason: AutoDisableReason,
    workspace_id: WorkspaceId | None = None,
) -> int:
    """Switch off every enabled connector of the organization, or of one workspace; returns how many were.

    Those that are off already remember the cause, so that they stay off until it too goes away. Repeating it changes
    nothing. `workspace_id` is the cause's scope: restore with the same one. Raises `ForbiddenError`.
    """
    require(context, OPERATION)
    connectors = connectors_for_update(organization_id, workspace_id)
    cause = cause_of(reason, is_of_workspace=workspace_id is not None)
    count = _apply(context, connectors, add_cause, _ADD_CAUSE, cause, reason)
    _audit(context, events.CONNECTORS_AUTO_DISABLED, count, organization_id, workspace_id, reason)
    return count


@transaction.atomic
def connectors_restore(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    reason: AutoDisableReason,
    workspace_id: WorkspaceId | None = None,
) -> int:
    """Enable again exactly those that this cause switched off and no other keeps off; returns how many were.

    What a person disabled stays disabled. Repeating it changes nothing. Raises `ForbiddenError`.
    """
    require(context, OPERATION)
    connectors = connectors_for_update(organization_id, workspace_id)
    cause = cause_of(reason, is_of_workspace=workspace_id is not None)
    count = _apply(context, connectors, remove_cause, _REMOVE_CAUSE, cause, reason)
    _audit(context, events.CONNECTORS_RESTORED, count, organization_id, workspace_id, reason)
    return count


@transaction.atomic
def connector_auto_disable(context: ExecutionContext, *, connector_id: ConnectorId, reason: AutoDisableReason) -> bool:
    """Switch one connector off for a reason of its own: too many failures, or a credential that is refused.

    Returns whether it was enabled before. A person who has mended it enables it. Raises `NotFoundError`
    `unknown_connector`, `ForbiddenError`, and `ValueError` for a reason that is not a connector's own.
    """
    require(context, OPERATION)
    if reason not in OWN_REASONS:
        raise ValueError(f"{reason.value} is no reason of one connector; use connectors_auto_disable.")
    connector = connector_for_update(connector_id)
    cause = cause_of(reason, is_of_workspace=False)
    count = _apply(context, [connector], add_cause, _ADD_CAUSE, cause, reason)
    place = OrganizationId(connector.workspace.organization_id), WorkspaceId(connector.workspace_id)
    _audit(context, events.CONNECTORS_AUTO_DISABLED, count, *place, reason, target_id=str(connector_id))
    return bool(count)


def _apply(
    context: ExecutionContext,
    connectors: Sequence[Connector],
    rule: Callable[[ConnectorState, str], ConnectorState],
    statement: str,
    cause: str,
    reason: AutoDisableReason,
) -> int:
    changes = _group_changes(connectors, rule, cause)
    ids = [connector_id for group in changes.values() for connector_id in group]
    if ids:
        row_versions_attribute(context, reason=reason.label)
        with connection.cursor() as cursor:
            cursor.execute(statement, {"cause": cause, "reason": reason.value, "ids": ids})
    is_arrival = rule is add_cause
    for kind, group in changes.items():
        if kind is not None:
            note_many(
                context, group, kind, (describe_added_cause if is_arrival else describe_removed_cause)(kind, reason)
            )
    return len(changes[ConnectorEventKind.AUTO_DISABLED if is_arrival else ConnectorEventKind.RESTORED])


def _group_changes(
    connectors: Sequence[Connector], rule: Callable[[ConnectorState, str], ConnectorState], cause: str
) -> Mapping[ConnectorEventKind | None, list[ConnectorId]]:
    """The connectors whose state the rule changes, by the kind of their timeline event; None where there is none."""
    changes: defaultdict[ConnectorEventKind | None, list[ConnectorId]] = defaultdict(list)
    for connector in connectors:
        before = ConnectorState(ConnectorStatus(connector.status), tuple(connector.auto_disable_causes))
        after = rule(before, cause)
        if after != before:
            changes[_event_kind(before, after)].append(ConnectorId(connector.pk))
    return changes


def _event_kind(before: ConnectorState, after: ConnectorState) -> ConnectorEventKind | None:
    if before.status is not after.status:
        is_off = after.status is ConnectorStatus.AUTO_DISABLED
        return ConnectorEventKind.AUTO_DISABLED if is_off else ConnectorEventKind.RESTORED
    if before.status is not ConnectorStatus.AUTO_DISABLED:
        return None  # a person disabled it, or it waits: for its reader nothing has changed
    is_arrival = len(after.causes) > len(before.causes)
    return ConnectorEventKind.CAUSE_ADDED if is_arrival else ConnectorEventKind.CAUSE_REMOVED


def _audit(
    context: ExecutionContext,
    event: AuditEvent,
    count: int,
    organization_id: OrganizationId,
    workspace_id: WorkspaceId | None,
    reason: AutoDisableReason,
    *,
    target_id: str = "",
) -> None:
    """One entry for all of them; which they were is on each one's timeline, under the same request id."""
    if not count:
        return
    off = event is events.CONNECTORS_AUTO_DISABLED
    statuses = (ConnectorStatus.ENABLED.value, ConnectorStatus.AUTO_DISABLED.value)
    before, after = statuses if off else statuses[::-1]
    audit_append(
        context,
        event,
        AuditTarget(
            "connector" if target_id else "connectors",
            target_id or str(workspace_id or organization_id),
            organization_id,
            workspace_id,
        ),
        before={"status": before, "connectors": count},
        after={"status": after, "connectors": count},
        reason=reason.label,
    )
