"""Causes switch connectors off and on again: set-based, symmetric, remembered (spec 04, Auto-disable; spec 11, P13)."""

from __future__ import annotations

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.connectors.enums import AutoDisableReason, ConnectorEventKind, ConnectorStatus
from apps.connectors.models import Connector, ConnectorEvent
from apps.connectors.rules import causes
from apps.connectors.rules.causes import OWN_REASONS, ConnectorState, add_cause, cause_of, remove_cause, shown_reason
from apps.connectors.services import connector_auto_disable, connector_disable, connectors_auto_disable
from apps.connectors.services import connectors_restore as restore
from apps.core.errors import ForbiddenError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditEntry
from apps.tenants.models import Workspace
from tests.connectors.cast import id_of, make_connector, statuses
from tests.contexts import console_context, product_context, staff_context
from tests.factories.tenants import make_organization, make_product, make_workspace
from tests.sizes import size
from tests.subscriptions.cast import chance_of

UNPAID, UNSUBSCRIBED = AutoDisableReason.INVALID_PAYMENT_METHOD, AutoDisableReason.UNSUBSCRIBED
OUTSIDE = [reason for reason in AutoDisableReason if reason not in OWN_REASONS]
SEQUENCES = size(small=40, full=1_000)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_workspace(make_organization())


def organization_of(workspace: Workspace) -> OrganizationId:
    return OrganizationId(workspace.organization_id)


def test_disable_then_restore_brings_back_exactly_those_that_ran(workspace: Workspace) -> None:
    every = [make_connector(workspace, status) for status in ConnectorStatus if status != "auto_disabled"]
    before = statuses(*every)
    count = connectors_auto_disable(console_context(), organization_id=organization_of(workspace), reason=UNPAID)
    assert count == 1
    assert Connector.objects.get(status="auto_disabled").auto_disable_reason == UNPAID
    assert restore(console_context(), organization_id=organization_of(workspace), reason=UNPAID) == 1
    assert statuses(*every) == before
    kinds = list(ConnectorEvent.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == [ConnectorEventKind.AUTO_DISABLED, ConnectorEventKind.RESTORED]


def test_what_a_person_disabled_meanwhile_stays_disabled(workspace: Workspace) -> None:
    kept, other = make_connector(workspace), make_connector(workspace)
    organization_id = organization_of(workspace)
    connectors_auto_disable(console_context(), organization_id=organization_id, reason=UNPAID)
    connector_disable(staff_context(), connector_id=id_of(kept), reason="no longer used")
    restore(console_context(), organization_id=organization_id, reason=UNPAID)
    assert statuses(kept, other) == ["disabled", "enabled"]


def test_a_second_cause_is_remembered(workspace: Workspace) -> None:
    connector, organization_id = make_connector(workspace), organization_of(workspace)
    connectors_auto_disable(console_context(), organization_id=organization_id, reason=UNPAID)
    assert connectors_auto_disable(console_context(), organization_id=organization_id, reason=UNSUBSCRIBED) == 0
    assert restore(console_context(), organization_id=organization_id, reason=UNPAID) == 0
    connector.refresh_from_db()
    assert (connector.status, connector.auto_disable_reason) == ("auto_disabled", UNSUBSCRIBED)
    assert restore(console_context(), organization_id=organization_id, reason=UNSUBSCRIBED) == 1
    assert statuses(connector) == ["enabled"]


def test_a_cause_of_one_workspace_leaves_the_others(workspace: Workspace) -> None:
    sibling = make_workspace(workspace.organization, "Staging")
    here, there = make_connector(workspace), make_connector(sibling)
    scope = {"organization_id": organization_of(workspace), "workspace_id": WorkspaceId(workspace.pk)}
    connectors_auto_disable(console_context(), reason=UNSUBSCRIBED, **scope)  # type: ignore[arg-type]
    assert statuses(here, there) == ["auto_disabled", "enabled"]
    assert restore(console_context(), organization_id=organization_of(workspace), reason=UNSUBSCRIBED) == 0
    assert restore(console_context(), reason=UNSUBSCRIBED, **scope) == 1  # type: ignore[arg-type]
    assert statuses(here, there) == ["enabled", "enabled"]


@pytest.mark.parametrize("count", [1, 60])
def test_the_statements_do_not_grow_with_the_connectors(workspace: Workspace, count: int) -> None:
    for _ in range(count):
        make_connector(workspace)
    with CaptureQueriesContext(connection) as captured:
        switched = connectors_auto_disable(console_context(), organization_id=organization_of(workspace), reason=UNPAID)
    texts = [query["sql"] for query in captured.captured_queries]
    assert switched == count
    assert sum("UPDATE connectors_connector" in text for text in texts) == 1
    assert sum("INSERT INTO connectors_connectorevent" in text for text in texts) == 1
    assert len(texts) <= 12
    assert ConnectorEvent.objects.filter(kind="auto_disabled").count() == count
    assert AuditEntry.objects.filter(event="connector.auto_disabled").count() == 1


def test_repeating_changes_nothing(workspace: Workspace) -> None:
    make_connector(workspace)
    for _ in range(3):
        connectors_auto_disable(console_context(), organization_id=organization_of(workspace), reason=UNPAID)
    assert ConnectorEvent.objects.count() == 1
    for _ in range(3):
        restore(console_context(), organization_id=organization_of(workspace), reason=UNPAID)
    assert ConnectorEvent.objects.count() == 2


def test_a_connectors_own_cause_is_its_own(workspace: Workspace) -> None:
    mine, other = make_connector(workspace), make_connector(workspace)
    reason = AutoDisableReason.TOO_MANY_FAILURES
    assert connector_auto_disable(console_context(), connector_id=id_of(mine), reason=reason)
    assert not connector_auto_disable(console_context(), connector_id=id_of(mine), reason=reason)
    assert statuses(mine, other) == ["auto_disabled", "enabled"]
    with pytest.raises(ValueError, match="no reason of one connector"):
        connector_auto_disable(console_context(), connector_id=id_of(other), reason=UNPAID)


@pytest.mark.parametrize("reason", AutoDisableReason)
def test_a_cause_names_the_workspace_that_it_lies_in_and_no_own_cause_does(reason: AutoDisableReason) -> None:
    scoped = reason.value if reason in OWN_REASONS else f"{reason.value}:workspace"
    assert cause_of(reason, is_of_workspace=True) == scoped
    assert cause_of(reason, is_of_workspace=False) == reason.value


def test_a_caller_without_the_scope_changes_nothing(workspace: Workspace) -> None:
    connector = make_connector(workspace)
    context = product_context(make_product("red", workspace.organization), scopes=frozenset())
    with pytest.raises(ForbiddenError):
        connectors_auto_disable(context, organization_id=organization_of(workspace), reason=UNPAID)
    assert statuses(connector) == ["enabled"]
    assert not ConnectorEvent.objects.exists()


def model_step(chance: random.Random, standings: dict[object, ConnectorState], workspace: Workspace) -> None:
    """One random arrival or departure, by the services and by the pure rule; the two must agree."""
    reason, is_of_workspace, is_arrival = chance.choice(OUTSIDE), chance.random() < 0.3, chance.random() < 0.5
    service, rule = (connectors_auto_disable, add_cause) if is_arrival else (restore, remove_cause)
    workspace_id = WorkspaceId(workspace.pk) if is_of_workspace else None
    service(console_context(), organization_id=organization_of(workspace), reason=reason, workspace_id=workspace_id)
    for key, state in standings.items():
        standings[key] = rule(state, cause_of(reason, is_of_workspace=is_of_workspace))


def assert_agree(standings: dict[object, ConnectorState]) -> None:
    for connector in Connector.objects.filter(pk__in=list(standings)):
        expected = standings[connector.pk]
        assert (connector.status, tuple(connector.auto_disable_causes)) == (expected.status, expected.causes)
        assert connector.auto_disable_reason == (shown_reason(expected) or "")


def random_life(seed: int, workspace: Workspace) -> tuple[list[str], list[str], list[int]]:
    """Causes that come and go at random, a person who disables one, and then every cause gone."""
    chance = chance_of(seed)
    running = [status for status in ConnectorStatus if status is not ConnectorStatus.AUTO_DISABLED]
    every = [make_connector(workspace, chance.choice(running)) for _ in range(4)]
    before = statuses(*every)
    standings: dict[object, ConnectorState] = {
        connector.pk: ConnectorState(ConnectorStatus(status)) for connector, status in zip(every, before, strict=True)
    }
    by_hand = []
    for _ in range(chance.randint(1, 8)):
        model_step(chance, standings, workspace)
        assert_agree(standings)
        place = chance.randrange(len(every))
        if chance.random() < 0.15 and statuses(every[place]) != ["disabled"]:
            connector_disable(staff_context(), connector_id=id_of(every[place]), reason="a person's wish")
            standings[every[place].pk] = ConnectorState(ConnectorStatus.DISABLED, standings[every[place].pk].causes)
            by_hand.append(place)
    for reason in OUTSIDE:
        for workspace_id in (None, WorkspaceId(workspace.pk)):
            restore(
                console_context(), organization_id=organization_of(workspace), reason=reason, workspace_id=workspace_id
            )
    return before, statuses(*every), by_hand


def test_reasons_from_outside_are_remembered_for_a_workspace_too() -> None:
    kinds = {(reason, is_of) for reason in AutoDisableReason for is_of in (False, True)}
    assert set(causes.every_cause()) == {cause_of(reason, is_of_workspace=is_of) for reason, is_of in kinds}
    assert len(causes.every_cause()) == len(AutoDisableReason) + len(OUTSIDE)
    assert all(reason.value in causes.every_cause() for reason in OWN_REASONS)


@pytest.mark.prove("disable, pay, restore is identity", size=SEQUENCES, control="forgetting a second cause is caught")
@pytest.mark.django_db
def test_when_every_cause_is_gone_all_is_as_it_was() -> None:
    all_lives(SEQUENCES)


def all_lives(count: int) -> None:
    for seed in range(count):
        workspace = make_workspace(make_organization())
        before, after, by_hand = random_life(seed, workspace)
        expected = ["disabled" if place in by_hand else status for place, status in enumerate(before)]
        assert after == expected, f"seed {seed}"


@pytest.mark.django_db
def test_a_rule_that_forgets_the_second_cause_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: causes that come while one stands are not kept, so that the first departure enables too early."""

    def forgetful(state: ConnectorState, cause: str) -> ConnectorState:
        return state if state.causes else causes.add_cause(state, cause)

    monkeypatch.setattr("tests.connectors.test_auto_disable.add_cause", forgetful)
    with pytest.raises(AssertionError):
        all_lives(20)
