"""What a person may do with a connector's status: the whole status x verb matrix (spec 06, Connector)."""

from __future__ import annotations

import itertools
import uuid

import pytest
from django.db import DatabaseError, connection, transaction

from apps.connectors.enums import AutoDisableReason, ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector, ConnectorEvent
from apps.connectors.rules.causes import OWN_REASONS
from apps.connectors.rules.transitions import CONNECTOR_VERBS, status_pairs, verbs_from
from apps.connectors.services import (
    connector_auto_disable,
    connector_disable,
    connector_enable,
    connectors_auto_disable,
    connectors_restore,
)
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.tenants.models import Workspace
from tests.connectors.cast import id_of, make_active_workspace, make_connector, statuses, suspend
from tests.contexts import console_context, product_context, staff_context
from tests.factories.tenants import make_product

UNPAID = AutoDisableReason.INVALID_PAYMENT_METHOD
SERVICES = {"enable": connector_enable, "disable": connector_disable}


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_active_workspace()


def in_status(workspace: Workspace, status: ConnectorStatus) -> Connector:
    """A connector without need of a credential; an auto-disabled one for a reason of its own."""
    if status is not ConnectorStatus.AUTO_DISABLED:
        return make_connector(workspace, status, provider="demo")
    connector = make_connector(workspace, provider="demo")
    reason = AutoDisableReason.TOO_MANY_FAILURES
    connector_auto_disable(console_context(), connector_id=id_of(connector), reason=reason)
    return connector


def traces() -> tuple[int, int]:
    return ConnectorEvent.objects.count(), AuditEntry.objects.filter(event__startswith="connector.").count()


@pytest.mark.parametrize(("verb", "status"), list(itertools.product(SERVICES, ConnectorStatus)))
def test_each_verb_in_each_status(workspace: Workspace, verb: str, status: ConnectorStatus) -> None:
    connector = in_status(workspace, status)
    before, service = traces(), SERVICES[verb]
    if status in CONNECTOR_VERBS[verb]:
        service(staff_context(), connector_id=id_of(connector), reason="the customer asked")
        assert statuses(connector) == ["enabled" if verb == "enable" else "disabled"]
        assert traces() == (before[0] + 1, before[1] + 1)
        return
    with pytest.raises(ConflictError, match=status.label.lower()):
        service(staff_context(), connector_id=id_of(connector), reason="the customer asked")
    assert statuses(connector) == [status.value]
    assert traces() == before


@pytest.mark.parametrize(
    ("status", "verbs"),
    [
        ("pending", "disable authorize"),
        ("enabled", "disable auto_disable need_reauthorization"),
        ("disabled", "enable"),
        ("auto_disabled", "enable disable restore"),
        ("needs_reauthorization", "disable authorize"),
    ],
)
def test_the_verbs_that_may_be_used_in_a_status(status: str, verbs: str) -> None:
    assert verbs_from(ConnectorStatus(status)) == verbs.split()


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(ConnectorStatus, 2)))
def test_the_database_refuses_every_other_move(
    workspace: Workspace, source: ConnectorStatus, target: ConnectorStatus
) -> None:
    connector = in_status(workspace, source)
    is_off = target is ConnectorStatus.AUTO_DISABLED
    values = {
        "status": target.value,
        "auto_disable_reason": UNPAID.value if is_off else "",
        "auto_disable_causes": [UNPAID.value] if is_off else [],
    }
    row = Connector.objects.filter(pk=connector.pk)
    if (source.value, target.value) in set(status_pairs()):
        assert row.update(**values) == 1
        return
    with pytest.raises(DatabaseError, match="Invalid transition"), transaction.atomic():
        row.update(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"status": "auto_disabled"},
        {"status": "auto_disabled", "auto_disable_reason": "unsubscribed"},
        {"auto_disable_reason": "unsubscribed"},
        {"auto_disable_causes": ["unsubscribed"]},
        {"status": "disabled", "auto_disable_causes": ["moon_phase"]},
        {"status": "paused"},
        {"name": ""},
    ],
    ids=str,
)
def test_the_database_holds_what_belongs_together(workspace: Workspace, values: dict[str, object]) -> None:
    connector = make_connector(workspace)
    with pytest.raises(DatabaseError), transaction.atomic():
        Connector.objects.filter(pk=connector.pk).update(**values)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE connectors_connectorevent SET sentence = 'nothing happened'",
        "DELETE FROM connectors_connectorevent",
        "TRUNCATE connectors_connectorevent",
    ],
)
def test_the_timeline_is_append_only(workspace: Workspace, statement: str) -> None:
    connector = make_connector(workspace)
    connector_disable(staff_context(), connector_id=id_of(connector), reason="why not")
    events = ConnectorEvent.objects.all()
    with pytest.raises(DatabaseError, match=r"(?i)cannot"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert events.count() == 1


def test_a_cause_from_outside_keeps_it_off_until_it_goes_away(workspace: Workspace) -> None:
    connector, organization_id = make_connector(workspace), OrganizationId(workspace.organization_id)
    connectors_auto_disable(console_context(), organization_id=organization_id, reason=UNPAID)
    with pytest.raises(ConflictError) as caught:
        connector_enable(staff_context(), connector_id=id_of(connector), reason="please")
    assert caught.value.problem_code == "kept_off"
    assert "once the overdue invoices are paid" in caught.value.detail
    assert statuses(connector) == ["auto_disabled"]
    connectors_restore(console_context(), organization_id=organization_id, reason=UNPAID)
    assert statuses(connector) == ["enabled"]


def test_one_that_was_disabled_before_the_cause_stays_off_while_it_stands(workspace: Workspace) -> None:
    connector = make_connector(workspace, ConnectorStatus.DISABLED)
    organization_id = OrganizationId(workspace.organization_id)
    connectors_auto_disable(console_context(), organization_id=organization_id, reason=UNPAID)
    with pytest.raises(ConflictError):
        connector_enable(staff_context(), connector_id=id_of(connector), reason="please")
    assert statuses(connector) == ["disabled"]


@pytest.mark.parametrize("reason", [None, *sorted(OWN_REASONS)])
def test_one_without_its_credential_waits_for_it(workspace: Workspace, reason: AutoDisableReason | None) -> None:
    """Whether a person had disabled it, or it was switched off for a reason of its own."""
    connector = make_connector(workspace, ConnectorStatus.ENABLED if reason else ConnectorStatus.DISABLED)
    if reason:
        connector_auto_disable(console_context(), connector_id=id_of(connector), reason=reason)
    connector_enable(staff_context(), connector_id=id_of(connector), reason="go on")
    assert statuses(connector) == ["pending"]
    connector.refresh_from_db()
    assert (connector.auto_disable_reason, connector.auto_disable_causes) == ("", [])
    # A person may leave it there, and disable it again.
    connector_disable(staff_context(), connector_id=id_of(connector), reason="enough")
    assert statuses(connector) == ["disabled"]


@pytest.mark.parametrize("verb", SERVICES)
def test_a_person_owes_a_reason(workspace: Workspace, verb: str) -> None:
    connector = make_connector(workspace, ConnectorStatus.DISABLED if verb == "enable" else ConnectorStatus.ENABLED)
    with pytest.raises(UnprocessableError) as caught:
        SERVICES[verb](staff_context(), connector_id=id_of(connector), reason=" ")
    assert caught.value.problem_code == "reason_required"


@pytest.mark.parametrize("verb", SERVICES)
def test_a_caller_without_the_scope_changes_nothing(workspace: Workspace, verb: str) -> None:
    connector = make_connector(workspace, ConnectorStatus.DISABLED if verb == "enable" else ConnectorStatus.ENABLED)
    before = statuses(connector), traces()
    context = product_context(make_product("red", workspace.organization), scopes=frozenset())
    with pytest.raises(ForbiddenError):
        SERVICES[verb](context, connector_id=id_of(connector), reason="because")
    assert (statuses(connector), traces()) == before


def test_a_suspended_workspace_may_stop_and_not_start(workspace: Workspace) -> None:
    running, stopped = make_connector(workspace), make_connector(workspace, ConnectorStatus.DISABLED)
    suspend(workspace)
    with pytest.raises(CountinghouseError) as caught:
        connector_enable(staff_context(), connector_id=id_of(stopped), reason="please")
    assert caught.value.problem_code == "lifecycle_denied"
    connector_disable(staff_context(), connector_id=id_of(running), reason="enough")
    assert statuses(running, stopped) == ["disabled", "disabled"]


def test_an_unknown_connector_is_unknown(db: None) -> None:
    with pytest.raises(NotFoundError):
        connector_disable(staff_context(), connector_id=ConnectorId(uuid.uuid4()), reason="why not")
