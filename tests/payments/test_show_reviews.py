"""What providers' news ask of staff: on the workspace page, in the list, on the overview (spec 03, 04)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from apps.core.ids import WorkspaceId
from apps.payments.models import Review
from apps.subscriptions.contracts import End, WorkspacePlace
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import post, url_of
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant
from tests.payments.test_settle_workspaces import record_of, sold
from tests.subscriptions.cast import REASON, make_plan, staff_change, version_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return client_of(Role.BILLING_OPERATIONS)


def doubled() -> tuple[Tenant, Stripe]:
    tenant = make_tenant()
    make_plan()
    stripe = sold(tenant)
    later = NOON + timedelta(days=1)
    deliver(stripe.event("customer.subscription.created", stripe.second("past_due", later), later))
    return tenant, stripe


def found(client: Client, **asked: str) -> set[str]:
    answer = client.get(reverse("admin:tenants_workspace_changelist"), asked)
    return {str(record.pk) for record in answer.context["cl"].result_list}


@pytest.mark.slow
def test_what_is_charged_twice_is_named_on_the_page_in_the_list_and_on_the_overview(client: Client) -> None:
    tenant, stripe = doubled()
    make_tenant("Other")
    names = (f"sub_{stripe.prefix} (team, active", f"sub_{stripe.prefix}_b (team, past due")
    page = client.get(url_of(WorkspaceId(tenant.workspace.pk))).content.decode()
    overview = client.get(reverse("admin:index")).content.decode()
    for name in names:
        assert name in page
        assert name in overview
    for asked in ({"review": "yes"}, {"asked": "charged_twice"}):
        assert found(client, **asked) == {str(tenant.workspace.pk)}
    assert found(client, asked="restarted") == set()
    deliver(stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + timedelta(days=2)))
    assert found(client, asked="charged_twice") == set()
    assert "Nothing to do. No customer" in client.get(reverse("admin:index")).content.decode()


def test_a_start_after_staff_ended_the_record_is_marked_as_reviewed_with_a_reason(client: Client) -> None:
    tenant = make_tenant()
    make_plan()
    stripe = sold(tenant)
    staff_change(WorkspacePlace(WorkspaceId(tenant.workspace.pk), tenant.organization_id), End())
    ended_at = record_of(tenant).ended_at
    assert ended_at is not None
    later = ended_at.replace(microsecond=0) + timedelta(days=1)
    deliver(stripe.event("customer.subscription.created", stripe.second("active", later), later))
    workspace_id = WorkspaceId(tenant.workspace.pk)
    assert "after staff had ended the subscription" in client.get(url_of(workspace_id)).content.decode()
    fields = {"reason": REASON, "version": str(version_of(workspace_id))}
    assert post(client, workspace_id, "close_review", fields)[0] == 200
    assert not Review.objects.filter(kind="restarted").exists()
