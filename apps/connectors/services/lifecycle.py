"""Enables and disables one connector at a caller's request (spec 06, Connector).

Disabling is always allowed. Enabling is an edit that the lifecycle must allow, and no outside cause may remain.
"""

from __future__ import annotations

from django.db import transaction

from apps.connectors import events
from apps.connectors.enums import ConnectorEventKind, ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import CAUSES, REMEDIES
from apps.connectors.models import Connector, ConnectorCredential
from apps.connectors.providers.registry import needs_credential
from apps.connectors.rules.causes import (
    ConnectorState,
    enable_unless_kept_off,
    reason_of,
    remove_own_causes,
    shown_reason,
)
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.connectors import connector_for_update, connector_of
from apps.connectors.services.timeline import connector_note
from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, Reason
from apps.core.ids import WorkspaceId
from apps.core.operations import require
from apps.core.row_versions import row_versions_attribute
from apps.core.wakeups import wake_after_commit
from apps.subscriptions.services import lifecycle_require
from apps.subscriptions.services.change_steps import require_reason

EDIT, CREDENTIAL, DISABLE = "connector.edit", "connector.credential", "connectors.disable"
START_TASK = "connectors.start_syncs"


def connector_enable(context: ExecutionContext, *, connector_id: ConnectorId, reason: str = "") -> Connector:
    """Enable a connector that a person disabled, or one that was auto-disabled for a reason of its own.

    A connector without the credential that its provider needs becomes `pending`. A person owes a reason.

    Raises `NotFoundError` `unknown_connector`; `ConflictError` `state_conflict` where it is not off, `kept_off` where a
    cause from outside the connector stands; `ForbiddenError`, also `lifecycle_denied`; `UnprocessableError`.
    """
    require(context, EDIT)
    require_reason(context, reason)
    workspace_id = WorkspaceId(connector_of(connector_id).workspace_id)
    # Before the transaction begins, so that a denial's receipt stays.
    lifecycle_require(context, workspace_id=workspace_id, operation=EDIT)
    return _enable(context, connector_id, reason)


@transaction.atomic
def _enable(context: ExecutionContext, connector_id: ConnectorId, reason: str) -> Connector:
    connector = connector_for_update(connector_id)
    _require_status(connector, "enable", "Enabling")
    state = enable_unless_kept_off(remove_own_causes(state_of(connector)))
    if state.causes:
        raise _kept_off_error(connector, state)
    if _lacks_credential(connector):
        state = ConnectorState(ConnectorStatus.PENDING)
    note = "Enabled" if state.status is ConnectorStatus.ENABLED else "No longer disabled; waiting for its credential"
    connector_update_state(context, connector, state, event=events.CONNECTOR_ENABLED, reason=reason)
    connector_note(
        context,
        connector_id=connector_id,
        kind=ConnectorEventKind.ENABLED,
        sentence=f"{note}: {reason}" if reason else f"{note}.",
    )
    return connector


@transaction.atomic
def connector_disable(context: ExecutionContext, *, connector_id: ConnectorId, reason: str) -> Connector:
    """Disable a connector at a caller's request. It stays disabled until it is enabled, whatever causes come or go.

    Raises `NotFoundError` `unknown_connector`; `ConflictError` `state_conflict` where it is disabled already;
    `UnprocessableError` `reason_required` for a person who gives none; `ForbiddenError`.
    """
    require(context, DISABLE)
    require_reason(context, reason)
    connector = connector_for_update(connector_id)
    _require_status(connector, "disable", "Disabling")
    state = ConnectorState(ConnectorStatus.DISABLED, tuple(connector.auto_disable_causes))
    connector_update_state(context, connector, state, event=events.CONNECTOR_DISABLED, reason=reason)
    connector_note(
        context,
        connector_id=connector_id,
        kind=ConnectorEventKind.DISABLED,
        sentence=f"Disabled: {reason}" if reason else "Disabled.",
    )
    return connector


def state_of(connector: Connector) -> ConnectorState:
    return ConnectorState(ConnectorStatus(connector.status), tuple(connector.auto_disable_causes))


def connector_update_state(
    context: ExecutionContext, connector: Connector, state: ConnectorState, *, event: AuditEvent, reason: str
) -> None:
    """Write the locked connector's new state, with its audit entry."""
    before = _values(connector)
    connector.status = state.status
    connector.auto_disable_causes = list(state.causes)
    connector.auto_disable_reason = shown_reason(state) or ""
    connector.version += 1
    row_versions_attribute(context, reason=reason)
    connector.save(update_fields=["status", "auto_disable_causes", "auto_disable_reason"])
    if state.status is ConnectorStatus.ENABLED:
        start_syncing(connector)
    audit_append(context, event, connector.audit_target, before=before, after=_values(connector), reason=reason)


def start_syncing(connector: Connector) -> None:
    """Let the connector be read as soon as this transaction is committed, and in the next hour at the latest."""
    Connector.objects.filter(pk=connector.pk).update(next_due_at=clock.now())
    wake_after_commit(START_TASK, str(connector.pk))


def _values(connector: Connector) -> dict[str, object]:
    return {
        "status": str(connector.status),
        "auto_disable_reason": str(connector.auto_disable_reason),
        "auto_disable_causes": list(connector.auto_disable_causes),
        "version": connector.version,
    }


def _lacks_credential(connector: Connector) -> bool:
    has_one = ConnectorCredential.objects.filter(connector=connector.pk).exists()
    return needs_credential(connector.provider) and not has_one


def _require_status(connector: Connector, verb: str, what: str) -> None:
    status = ConnectorStatus(connector.status)
    expected = sources(verb)
    if status not in expected:
        words = " or ".join(source.label.lower() for source in expected)
        raise ConflictError(
            f"The connector is {status.label.lower()}; {what.lower()} it requires it to be {words}.",
            explanation=[
                Reason("connector_status", "deny", f"the status is {status.value}", f"connector:{connector.pk}")
            ],
        )


def _kept_off_error(connector: Connector, state: ConnectorState) -> ConflictError:
    reasons = list(dict.fromkeys(reason_of(cause) for cause in state.causes))
    words = "; ".join(CAUSES[reason] for reason in reasons)
    return ConflictError(
        f"The connector can't be enabled now: {words}. {REMEDIES[reasons[0]]}",
        code="kept_off",
        title="A cause keeps the connector off",
        explanation=[Reason("cause", "deny", CAUSES[reason], f"connector:{connector.pk}") for reason in reasons],
    )
