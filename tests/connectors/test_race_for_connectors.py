"""Causes that come and go at the same time, and two who make the same connector: one after the other (spec 04)."""

from __future__ import annotations

import itertools

import pytest
from django.db.models import QuerySet

from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, ConnectorStatus
from apps.connectors.models import Connector, ConnectorEvent
from apps.connectors.rules.causes import OWN_REASONS
from apps.connectors.services import ConnectorParams, connector_create, connectors_auto_disable, connectors_restore
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.tenants.models import Workspace
from tests.connectors.cast import make_active_workspace, make_connector
from tests.contexts import console_context
from tests.core.threads import at_once
from tests.factories.tenants import make_organization, make_workspace
from tests.sizes import size

OUTSIDE = [reason for reason in AutoDisableReason if reason not in OWN_REASONS]
ROUNDS = size(small=12, full=200)
CONNECTORS = 8


def come_and_go(organization_id: OrganizationId, reason: AutoDisableReason) -> None:
    for _ in range(ROUNDS):
        connectors_auto_disable(console_context(), organization_id=organization_id, reason=reason)
        connectors_restore(console_context(), organization_id=organization_id, reason=reason)


def race(workspace: Workspace) -> list[object]:
    """Each cause in a thread of its own; what a thread raised is among the answers."""
    organization_id = OrganizationId(workspace.organization_id)
    return list(at_once(len(OUTSIDE), lambda number: come_and_go(organization_id, OUTSIDE[number])))


def stories(workspace: Workspace) -> list[list[str]]:
    """What each connector's timeline tells of going off and coming back, in order."""
    kinds = (ConnectorEventKind.AUTO_DISABLED, ConnectorEventKind.RESTORED)
    events = ConnectorEvent.objects.filter(connector__workspace=workspace, kind__in=kinds).order_by("connector", "pk")
    rows = events.values_list("connector", "kind")
    return [[kind for _, kind in group] for _, group in itertools.groupby(rows, key=lambda row: row[0])]


def alternates(story: list[str]) -> bool:
    """Off and on in turn, beginning with off and ending with on."""
    return story == ["auto_disabled", "restored"] * (len(story) // 2)


@pytest.fixture
def workspace(transactional_db: None) -> Workspace:
    found = make_workspace(make_organization())
    for _ in range(CONNECTORS):
        make_connector(found)
    return found


@pytest.mark.prove(
    "causes at the same time: each story alternates, all come back",
    size=4 * ROUNDS * CONNECTORS,
    control="reading without a lock is caught",
)
def test_causes_at_the_same_time(workspace: Workspace) -> None:
    assert race(workspace) == [None] * len(OUTSIDE)
    told = stories(workspace)
    assert len(told) == CONNECTORS
    assert all(alternates(story) for story in told)
    assert Connector.objects.filter(status=ConnectorStatus.ENABLED, auto_disable_causes=[]).count() == CONNECTORS


@pytest.mark.slow
def test_reading_without_a_lock_is_caught(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: two who both saw it enabled both tell that they switched it off."""

    def unlocked(organization_id: OrganizationId, workspace_id: WorkspaceId | None) -> list[Connector]:
        rows: QuerySet[Connector] = Connector.objects.filter(workspace__organization=organization_id)
        return list(rows.order_by("pk"))

    monkeypatch.setattr("apps.connectors.services.auto_disable.connectors_for_update", unlocked)
    for _ in range(20):
        # The database itself may refuse what comes of it: that is being caught too.
        if any(race(workspace)) or not all(alternates(story) for story in stories(workspace)):
            return
    raise AssertionError("The control was not caught.")


def test_two_who_make_the_same_connector(transactional_db: None) -> None:
    workspace = make_active_workspace()
    params = ConnectorParams(provider="stripe", name="Stripe")
    outcomes = at_once(
        6, lambda _: connector_create(console_context(), workspace_id=WorkspaceId(workspace.pk), params=params)
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
    assert Connector.objects.count() == 1
    assert [error.problem_code for error in refused] == ["connector_name_taken"] * 5
