"""The loader: a constant number of queries; and the SQL of the list filters, equal to the resolver everywhere."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.enums import LifecycleState
from apps.core.errors import NotFoundError
from apps.core.ids import WorkspaceId
from apps.subscriptions.enums import PaymentStatus, SubscriptionScope, SubscriptionState, SubscriptionStatus
from apps.subscriptions.models import OrganizationPaymentConfig, Plan, WorkspaceSubscription
from apps.subscriptions.selectors.filters import has_due_change, in_grace_period, needs_review, with_lifecycle
from apps.subscriptions.selectors.lifecycle import workspace_facts, workspace_lifecycles
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import Organization, Workspace
from tests.factories.tenants import make_organization, make_workspace
from tests.subscriptions.cast import make_place, make_plan

pytestmark = pytest.mark.django_db


def queries_for(workspace_ids: list[WorkspaceId]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert len(workspace_lifecycles(workspace_ids)) == len(workspace_ids)
    return len(captured)


def test_one_query_for_one_or_for_many() -> None:
    organization = make_organization()
    ids = [WorkspaceId(make_workspace(organization).pk) for _ in range(12)]
    assert (queries_for(ids[:1]), queries_for(ids)) == (1, 1)


def test_an_unknown_workspace_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        workspace_facts(WorkspaceId(make_place().organization_id))


def test_a_new_organization_has_its_payment_config() -> None:
    place = make_place()
    config = OrganizationPaymentConfig.objects.get(organization=place.organization_id)
    assert (config.payment_status, config.subscription_status) == ("uninitialized", "pre_subscription")


COUNT = 6 * 3 * 3 * 2 * 6 * 7


def every_combination_in_the_database(plan: Plan, now: datetime) -> int:
    """One workspace for each combination of facts, written past the services and their triggers."""
    organizations, configs, workspaces, records = [], [], [], []
    axes = itertools.product(PaymentStatus, SubscriptionStatus, SubscriptionScope, (None, now))
    for payment, status, scope, closed_at in axes:
        slug = f"{payment.value}-{status.value}-{scope.value}-{closed_at is None}".lower()
        organization = Organization(slug=slug, name=slug, kind=OrganizationKind.TEAM, closed_at=closed_at)
        organizations.append(organization)
        end = now if payment is PaymentStatus.GRACE_PERIOD else None
        configs.append(
            OrganizationPaymentConfig(
                organization=organization,
                payment_status=payment,
                subscription_status=status,
                subscription_scope=scope,
                grace_period_end_at=end,
            )
        )
        for record, overlay in itertools.product([None, *SubscriptionState], ["", *LifecycleState]):
            workspace = Workspace(
                organization=organization,
                slug=f"{slug}-{record}-{overlay}".lower(),
                name=slug,
                manual_lifecycle_state=overlay,
                manual_lifecycle_reason="a test" if overlay else "",
            )
            workspaces.append(workspace)
            if record:
                records.append(record_of(workspace, plan, record, now))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        Organization.objects.bulk_create(organizations)
        OrganizationPaymentConfig.objects.bulk_create(configs)
        Workspace.objects.bulk_create(workspaces)
        WorkspaceSubscription.objects.bulk_create(records)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    return len(workspaces)


def record_of(workspace: Workspace, plan: Plan, state: SubscriptionState, now: datetime) -> WorkspaceSubscription:
    """A record whose dates have passed on every second combination."""
    day = timedelta(days=-1 if workspace.manual_lifecycle_state else 1)
    return WorkspaceSubscription(
        workspace=workspace,
        plan=plan,
        state=state,
        started_at=now - timedelta(days=30),
        trial_ends_at=now + day,
        current_period_start=now - timedelta(days=30) if state != "trialing" else None,
        current_period_end=now + day if state != "trialing" else None,
        ended_at=now if state == "ended" else None,
    )


@pytest.mark.slow
@pytest.mark.slow
def test_the_filters_say_what_the_resolver_says_of_every_combination() -> None:
    now = clock.now()
    assert every_combination_in_the_database(make_plan(), now) == COUNT
    rows = dict(with_lifecycle(Workspace.objects.all()).values_list("pk", "lifecycle"))
    decisions = workspace_lifecycles([WorkspaceId(pk) for pk in rows])
    assert {pk: decision.state.value for pk, decision in decisions.items()} == rows

    flagged = set(Workspace.objects.filter(needs_review(now)).values_list("pk", flat=True))
    assert flagged == {pk for pk, decision in decisions.items() if decision.needs_review}
    assert 0 < len(flagged) < COUNT
    assert Workspace.objects.filter(in_grace_period()).count() == COUNT // 6
    assert not Workspace.objects.filter(has_due_change(now)).exists()
