"""Which causes keep a connector off, and what adding and removing one does (spec 04, Auto-disable).

Several causes can overlap: an organization ends its grace period, and then its subscription. Each is remembered on the
connector, in the order of arrival, from its arrival until it goes away, whatever the connector's status is then:

* An enabled connector that a cause meets is auto-disabled; the first cause is its reason.
* A later cause changes no status. It is remembered, so that the connector stays off when the first one goes away, with
  the next cause as its reason.
* An auto-disabled connector whose last cause goes away is enabled again. Nothing else is: a connector that a person
  disabled, or that waits for its authorization, loses the cause and keeps its status.
* Whatever would enable a connector meanwhile (an authorization, say) finds the causes and leaves it auto-disabled.

A cause is a reason in a scope: the whole organization or one workspace. A restore undoes what an auto-disable with the
same reason and the same scope did, and nothing that the other scope did.

Pure: the services carry the same rules out in one UPDATE, and the tests compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from apps.connectors.enums import AutoDisableReason, ConnectorStatus

# Stored beside the reason where the cause lies in one workspace and not in its whole organization.
WORKSPACE_SUFFIX = ":workspace"
# Of the connector alone: a person who fixes it may enable it. The others go away where they came from.
OWN_REASONS = frozenset({AutoDisableReason.TOO_MANY_FAILURES, AutoDisableReason.CREDENTIAL_INVALID})


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """The part of a connector that causes change."""

    status: ConnectorStatus
    causes: tuple[str, ...] = ()


def cause_of(reason: AutoDisableReason, *, is_of_workspace: bool) -> str:
    """The cause as it is remembered. A connector's own reasons have no scope."""
    is_scoped = is_of_workspace and reason not in OWN_REASONS
    return f"{reason.value}{WORKSPACE_SUFFIX}" if is_scoped else reason.value


def reason_of(cause: str) -> AutoDisableReason:
    """The reason of a remembered cause."""
    return AutoDisableReason(cause.removesuffix(WORKSPACE_SUFFIX))


def every_cause() -> list[str]:
    """Each cause that can be remembered."""
    scoped = [f"{reason.value}{WORKSPACE_SUFFIX}" for reason in AutoDisableReason if reason not in OWN_REASONS]
    return [*AutoDisableReason.values, *scoped]


def add_cause(state: ConnectorState, cause: str) -> ConnectorState:
    if cause in state.causes:
        return state
    is_enabled = state.status is ConnectorStatus.ENABLED
    status = ConnectorStatus.AUTO_DISABLED if is_enabled else state.status
    return ConnectorState(status, (*state.causes, cause))


def remove_cause(state: ConnectorState, cause: str) -> ConnectorState:
    causes = tuple(other for other in state.causes if other != cause)
    is_free = state.status is ConnectorStatus.AUTO_DISABLED and not causes
    return ConnectorState(ConnectorStatus.ENABLED if is_free else state.status, causes)


def enable_unless_kept_off(state: ConnectorState) -> ConnectorState:
    """Enabled, or auto-disabled while causes remain."""
    status = ConnectorStatus.AUTO_DISABLED if state.causes else ConnectorStatus.ENABLED
    return replace(state, status=status)


def remove_own_causes(state: ConnectorState) -> ConnectorState:
    """The state without the connector's own causes, which a person may declare fixed."""
    return replace(state, causes=tuple(cause for cause in state.causes if reason_of(cause) not in OWN_REASONS))


def shown_reason(state: ConnectorState) -> AutoDisableReason | None:
    """The reason that an auto-disabled connector shows: that of its oldest cause."""
    if state.status is not ConnectorStatus.AUTO_DISABLED:
        return None
    return reason_of(state.causes[0])
