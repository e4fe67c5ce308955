"""The list's filters find what the resolver says, and the columns show it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import LifecycleState, Role
from apps.subscriptions.contracts import Activate, HandToProvider, Period, StartGrace, WorkspacePlace
from apps.subscriptions.enums import Provider, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import PendingChange
from apps.subscriptions.selectors.lifecycle import workspace_lifecycle
from apps.subscriptions.services import payment_config_change
from tests.backoffice.people import client_of
from tests.contexts import staff_context
from tests.factories.tenants import make_organization, make_workspace
from tests.subscriptions.cast import REASON, lead_to, make_place, make_plan, staff_change

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return client_of(Role.SUPPORT)


@pytest.fixture
def places() -> list[WorkspacePlace]:
    """One workspace in every state of the subscription, and one in a grace period."""
    plan_id = PlanId(make_plan().pk)
    made = []
    for state in (None, *SubscriptionState):
        place = make_place()
        lead_to(place, state, plan_id)
        made.append(place)
    graced = make_place()
    lead_to(graced, SubscriptionState.ACTIVE, plan_id)
    change = StartGrace(clock.now())
    payment_config_change(staff_context(), organization_id=graced.organization_id, change=change, reason=REASON)
    return [*made, graced]


def found(client: Client, **asked: str) -> set[str]:
    answer = client.get(reverse("admin:tenants_workspace_changelist"), asked)
    assert answer.status_code == 200
    return {str(record.pk) for record in answer.context["cl"].result_list}


@pytest.mark.parametrize("state", LifecycleState)
def test_by_lifecycle(client: Client, places: list[WorkspacePlace], state: LifecycleState) -> None:
    expected = {str(p.workspace_id) for p in places if workspace_lifecycle(p.workspace_id).state is state}
    assert found(client, lifecycle=state.value) == expected
    assert expected or state is LifecycleState.CLOSED


@pytest.mark.slow
def test_by_what_asks_for_a_person(client: Client, places: list[WorkspacePlace]) -> None:
    now, plan = clock.now(), make_plan()
    late, due = make_place(), make_place()
    period = Period(now - timedelta(days=40), now - timedelta(days=10))
    staff_change(late, Activate(PlanId(plan.pk), period))
    PendingChange.objects.create(
        workspace_id=due.workspace_id, kind="end", due_at=now, recorded_by="pat", reason=REASON, recorded_at=now
    )
    assert found(client, review="yes") == {str(late.workspace_id)}
    assert found(client, due="yes") == {str(due.workspace_id)}
    assert found(client, grace="yes") == {str(places[-1].workspace_id)}
    for name in ("review", "due", "lifecycle", "managed_by", "grace"):
        assert found(client, **{name: "nonsense"}) == set()
    body = client.get(reverse("admin:tenants_workspace_changelist")).content.decode()
    assert "Needs review" in body
    assert "Change is due" in body


def test_by_manager_and_demo(client: Client, places: list[WorkspacePlace]) -> None:
    staff_change(places[-1], HandToProvider(Provider.STRIPE, "sub_1"))
    assert found(client, managed_by="stripe") == {str(places[-1].workspace_id)}
    demo = make_workspace(make_organization(is_demo=True))
    assert found(client, demo="yes") == {str(demo.pk)}


def test_the_columns_show_lifecycle_and_plan(client: Client, places: list[WorkspacePlace]) -> None:
    body = client.get(reverse("admin:tenants_workspace_changelist")).content.decode()
    for told in ("Read-only", "Trial", "Grace period", "Not subscribed yet", "Team", "Suspended, by Staff"):
        assert told in body
