"""The preview of a staff change names the connectors that it switches, and just those (spec 03, Preview; P12)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.connectors.selectors.connectors import describe_status_changes
from apps.core.errors import CountinghouseError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions import preview as previews
from apps.subscriptions.contracts import WorkspacePlace
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.subscriptions.preview import apply_previewed, preview
from apps.tenants.models import Workspace
from tests.connectors.cast import make_active_workspace, make_connector
from tests.contexts import staff_context
from tests.factories.tenants import make_workspace
from tests.sizes import size
from tests.subscriptions.cast import chance_of
from tests.subscriptions.mutations import random_mutation

pytestmark = pytest.mark.django_db
SEED = 20260712
MUTATIONS = size(small=60, full=1_000)


@pytest.fixture
def workspace() -> Workspace:
    """A workspace with a connector in each status that needs no cause, and a sibling with one that runs."""
    found = make_active_workspace()
    for status in ConnectorStatus:
        if status != ConnectorStatus.AUTO_DISABLED:
            make_connector(found, status)
    make_connector(make_workspace(found.organization, "Staging"))
    return found


def statuses_of(workspace: Workspace) -> dict[str, str]:
    rows = Connector.objects.filter(workspace__organization=workspace.organization_id).select_related("workspace")
    return {f"{row.name} ({row.workspace.name})": row.status for row in rows}


def expected(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Each switched connector with what is said of it, from the statuses before and after."""
    moved = [name for name, status in after.items() if before[name] != status]
    return {f"{name} {'enabled again' if after[name] == 'enabled' else 'switched off'}" for name in moved}


def told(lines: tuple[str, ...]) -> set[str]:
    """The same, read from the lines of a preview that speak of connectors."""
    found = set()
    for line in lines:
        if "will be" not in line:
            continue
        words, _, names = line.removesuffix(".").partition(": ")
        found |= {f"{name} {words.partition('will be ')[2]}" for name in names.split(", ")}
    return found


def wrong_previews(workspace: Workspace, count: int) -> tuple[int, int]:
    """How many of the applied changes switched other connectors than their preview said, and how many any."""
    chance, context = chance_of(SEED), staff_context()
    workspace_id = WorkspaceId(workspace.pk)
    place = WorkspacePlace(workspace_id, OrganizationId(workspace.organization_id))
    plan_id, wrong, switching = PlanId(Plan.objects.get(slug="team").pk), 0, 0
    for _ in range(count):
        mutation = random_mutation(chance, place, plan_id, context)
        asked = {"workspace_id": workspace_id, "verb": mutation.verb, "inputs": mutation.inputs, "run": mutation.run}
        before = statuses_of(workspace)
        try:
            seen = preview(context, **asked)  # type: ignore[arg-type]
        except CountinghouseError:
            continue
        assert statuses_of(workspace) == before
        apply_previewed(context, token=seen.token, **asked)  # type: ignore[arg-type]
        outcome = expected(before, statuses_of(workspace))
        wrong += told(seen.consequences) != outcome
        switching += bool(outcome)
    return wrong, switching


@pytest.mark.prove(
    "P12 the preview names the connectors that are switched", size=MUTATIONS, control="a list of this workspace alone"
)
def test_the_preview_names_what_is_switched(workspace: Workspace) -> None:
    wrong, switching = wrong_previews(workspace, MUTATIONS)
    assert wrong == 0
    assert switching > 0


@pytest.mark.slow
def test_a_preview_that_looks_at_one_workspace_is_caught(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(workspace_id: WorkspaceId) -> Callable[[], list[str]]:
        tell = describe_status_changes(workspace_id)
        return lambda: [line for line in tell() if "(Staging)" not in line]

    monkeypatch.setitem(previews._consequences, "connectors", narrow)
    assert wrong_previews(workspace, 60)[0] > 0


def test_many_are_told_by_number(workspace: Workspace) -> None:
    for _ in range(20):
        make_connector(workspace)
    tell = describe_status_changes(WorkspaceId(workspace.pk))
    assert tell() == []
    Connector.objects.filter(status=ConnectorStatus.ENABLED).update(status=ConnectorStatus.DISABLED)
    (line,) = tell()
    assert line.startswith("22 connectors will be switched off: ")
    assert line.endswith(" and 12 more.")
