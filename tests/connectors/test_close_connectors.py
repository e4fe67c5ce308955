"""A close switches every connector off and cancels its syncs; a reopening restores what the close alone keeps off."""

from __future__ import annotations

import pytest

from apps.backoffice.duties.found import find_tasks
from apps.connectors.enums import AutoDisableReason, ConnectorStatus, SyncStatus
from apps.connectors.ids import SyncRunId
from apps.connectors.jobs import syncs_schedule
from apps.connectors.models import Connector, ConnectorEvent, SyncRun
from apps.connectors.services import connector_enable, connectors_auto_disable, connectors_restore
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.requests import sync_request
from apps.core.errors import CountinghouseError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.tenants.models import Workspace
from apps.tenants.services import organization_close, organization_reopen
from tests.connectors.cast import activate, id_of, make_active_workspace, make_connector, statuses
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_workspace

pytestmark = pytest.mark.django_db
CLOSED, UNPAID = AutoDisableReason.ORGANIZATION_CLOSED, AutoDisableReason.INVALID_PAYMENT_METHOD


@pytest.fixture
def workspace() -> Workspace:
    return make_active_workspace()


def of(workspace: Workspace) -> OrganizationId:
    return OrganizationId(workspace.organization_id)


def close(workspace: Workspace) -> None:
    organization_close(staff_context(), organization_id=of(workspace), reason="left")


def reopen(workspace: Workspace) -> None:
    organization_reopen(staff_context(), organization_id=of(workspace), reason="came back")


def test_each_status_is_as_before_after_a_close_and_a_reopening(workspace: Workspace) -> None:
    second, foreign = make_workspace(workspace.organization, "Staging"), make_connector(make_active_workspace())
    each = [make_connector(workspace, status) for status in ConnectorStatus if status != "auto_disabled"]
    each.append(make_connector(second))
    before = statuses(*each)
    close(workspace)
    expected = ["auto_disabled" if status == "enabled" else status for status in before]
    assert statuses(*each) == expected
    assert {tuple(one.auto_disable_causes) for one in Connector.objects.exclude(pk=foreign.pk)} == {(CLOSED.value,)}
    assert statuses(foreign) == ["enabled"]
    reopen(workspace)
    assert statuses(*each) == before
    events = ConnectorEvent.objects.filter(connector=each[-1].pk).order_by("pk")
    told = (
        "Switched off by the system because the organization was closed. "
        "It is enabled again once the organization is reopened."
    )
    back = "Enabled again: the cause ended (organization closed)."
    assert list(events.values_list("kind", "sentence")) == [("auto_disabled", told), ("restored", back)]


@pytest.mark.parametrize("is_unpaid_first", [True, False])
def test_another_cause_outlasts_the_reopening(workspace: Workspace, *, is_unpaid_first: bool) -> None:
    connector = make_connector(workspace)
    if is_unpaid_first:
        connectors_auto_disable(console_context(), organization_id=of(workspace), reason=UNPAID)
    close(workspace)
    if not is_unpaid_first:
        connectors_auto_disable(console_context(), organization_id=of(workspace), reason=UNPAID)
    reopen(workspace)
    connector.refresh_from_db()
    assert (connector.status, connector.auto_disable_reason) == ("auto_disabled", UNPAID)
    connectors_restore(console_context(), organization_id=of(workspace), reason=UNPAID)
    assert statuses(connector) == ["enabled"]


def test_a_payment_while_it_is_closed_switches_nothing_on(workspace: Workspace) -> None:
    connector = make_connector(workspace)
    connectors_auto_disable(console_context(), organization_id=of(workspace), reason=UNPAID)
    close(workspace)
    connectors_restore(console_context(), organization_id=of(workspace), reason=UNPAID)
    assert statuses(connector) == ["auto_disabled"]
    with pytest.raises(CountinghouseError) as refusal:
        connector_enable(staff_context(), connector_id=id_of(connector), reason="please")
    assert refusal.value.problem_code == "lifecycle_denied"
    assert statuses(connector) == ["auto_disabled"]


def test_syncs_that_wait_or_run_are_cancelled_once_and_told(workspace: Workspace) -> None:
    connector, other = make_connector(workspace), make_connector(make_active_workspace())
    sync_request(console_context(), connector_id=id_of(other))
    waiting, running, *_ = (item.run for item in sync_request(console_context(), connector_id=id_of(connector)))
    SyncRun.objects.filter(pk=running.pk).update(status=SyncStatus.RUNNING, claims=1)
    count = SyncRun.objects.filter(connector=connector).count()
    close(workspace)
    runs = SyncRun.objects.filter(connector=connector)
    assert set(runs.values_list("status", "error_code")) == {("cancelled", CLOSED.value)}
    assert not SyncRun.objects.filter(connector=other).exclude(status="queued").exists()
    assert ConnectorEvent.objects.filter(connector=connector, kind="sync_cancelled").count() == 1
    assert AuditEntry.objects.get(event="sync.cancelled").after["runs"] == count
    # A message that was under way finds nothing to do; the schedule queues nothing.
    assert sync_run_execute(SyncRunId(waiting.pk)) is None
    assert syncs_schedule(console_context(), organization_id=of(workspace))["runs"] == 0


def test_the_months_in_between_are_read_after_the_reopening(workspace: Workspace) -> None:
    connector = make_connector(workspace)
    close(workspace)
    reopen(workspace)
    assert syncs_schedule(console_context(), organization_id=of(workspace))["runs"] > 0
    assert SyncRun.objects.filter(connector=connector, status="queued").exists()


def test_nobody_is_asked_to_look_after_connectors_of_a_closed_organization(workspace: Workspace) -> None:
    activate(make_workspace(workspace.organization, "Second"))
    make_connector(workspace)
    connectors_auto_disable(console_context(), organization_id=of(workspace), reason=UNPAID)
    assert len(find_tasks(["connectors.read"])) == 1
    close(workspace)
    assert find_tasks(["connectors.read"]) == []
    reopen(workspace)
    assert len(find_tasks(["connectors.read"])) == 1
