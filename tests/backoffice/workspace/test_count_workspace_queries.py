"""The workspace page and list ask as many questions of a large tenant, or of thousands of workspaces, as of few."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.enums import LifecycleState, Role
from apps.subscriptions.contracts import Resume, Suspend
from apps.subscriptions.enums import ManagedBy, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import WorkspaceSubscription
from apps.subscriptions.services import note_add
from apps.tenants.models import Workspace
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import url_of
from tests.contexts import staff_context
from tests.factories.tenants import make_membership, make_organization, make_user, make_workspace
from tests.sizes import size
from tests.subscriptions.cast import lead_to, make_place, make_plan, staff_change

pytestmark = pytest.mark.django_db

LIST = "admin:tenants_workspace_changelist"
FILTERS: tuple[dict[str, str], ...] = (
    {},
    *({"lifecycle": state.value} for state in LifecycleState),
    {"review": "yes"},
    {"grace": "yes"},
    {"due": "yes"},
    {"managed_by": ManagedBy.STAFF.value},
    {"demo": "no"},
)


def statements(client: Client, url: str, asked: dict[str, str] | None = None) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, asked).status_code == 200
    return [query["sql"] for query in captured]


def test_the_page_asks_as_much_of_a_large_tenant_as_of_a_small_one() -> None:
    client, place, plan = client_of(Role.PLATFORM_ADMIN), make_place(), make_plan()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(plan.pk))
    organization = Workspace.objects.get(pk=place.workspace_id).organization

    def grow(times: int) -> None:
        for _ in range(times):
            make_membership(organization, make_user())
            note_add(staff_context(), workspace_id=place.workspace_id, text="A note.")
            staff_change(place, Suspend())
            staff_change(place, Resume())

    for url in (url_of(place.workspace_id), url_of(place.workspace_id, "why"), url_of(place.workspace_id, "end")):
        grow(2)
        statements(client, url)
        few = statements(client, url)
        grow(8)
        many = statements(client, url)
        assert len(many) == len(few), "\n".join(many)
        assert not [sql for sql in many if "COUNT(*)" in sql]


def make_many(count: int) -> None:
    """Workspaces in bulk, every second one with a subscription."""
    organization, plan, now = make_organization(), make_plan(), clock.now()
    workspaces = [
        Workspace(organization=organization, slug=f"bulk-{uuid.uuid4().hex}", name=f"Bulk {number}")
        for number in range(count)
    ]
    Workspace.objects.bulk_create(workspaces)
    WorkspaceSubscription.objects.bulk_create(
        WorkspaceSubscription(workspace=workspace, plan=plan, state=SubscriptionState.ACTIVE, started_at=now)
        for workspace in workspaces[::2]
    )


def test_the_list_asks_as_much_of_thousands_as_of_few_and_counts_to_a_bound() -> None:
    client, url = client_of(Role.SUPPORT), reverse(LIST)
    make_workspace(make_organization())
    make_many(60)
    few = {str(asked): len(statements(client, url, asked)) for asked in FILTERS for _ in range(2)}
    make_many(size(small=5_000, full=50_000))
    for asked in FILTERS:
        many = statements(client, url, asked)
        # A list of one page asks no more than one of a hundred pages, apart from what an empty one spares.
        assert len(many) <= max(few.values()), asked
        assert all("LIMIT" in sql for sql in many if "COUNT(*)" in sql), asked
        rows = [sql for sql in many if sql.startswith('SELECT "tenants_workspace"') and "ORDER BY" in sql]
        assert all("LIMIT" in sql for sql in rows), asked
