"""For whom an organization's subscriptions speak: one that names a workspace sells no other one (spec 03, rule 5)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from apps.core import clock
from apps.core.ids import WorkspaceId
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.rules.following import subscription_scope
from apps.subscriptions.contracts import SetSubscriptionStatus
from apps.subscriptions.enums import SubscriptionStatus
from apps.subscriptions.history import facts_as_of
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.lifecycle import LifecycleFacts
from apps.subscriptions.selectors.filters import with_lifecycle
from apps.subscriptions.selectors.lifecycle import workspace_facts, workspace_lifecycle
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import Workspace
from tests.contexts import staff_context
from tests.factories.tenants import make_workspace
from tests.payments.cast import NOON, Stripe, Tenant, make_tenant
from tests.payments.lives import Event, process_all
from tests.subscriptions.cast import REASON, make_plan

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
FILL = import_module("apps.payments.migrations.0012_fill_subscription_scopes").FILL


def test_only_those_that_run_decide_and_each_of_them_must_name_a_workspace() -> None:
    kinds = list(itertools.product(ProviderSubscriptionStatus, (False, True)))
    for size in range(4):
        for mirrored in itertools.combinations(kinds, size):
            names = {
                names for status, names in mirrored if status.value in {"trialing", "active", "past_due", "paused"}
            }
            wanted = "workspaces" if names == {True} else "organization"
            assert subscription_scope(mirrored) == wanted, mirrored


def lifecycles(tenant: Tenant) -> dict[str, str]:
    """By name, as the resolver and as the filter of lists say; both must agree."""
    rows = with_lifecycle(Workspace.objects.filter(organization=tenant.organization))
    listed = {row.name: row.lifecycle for row in rows}
    assert listed == {row.name: workspace_lifecycle(WorkspaceId(row.pk)).state.value for row in rows}
    return listed


def other_workspace(tenant: Tenant) -> Workspace:
    return make_workspace(tenant.organization, "Other")


def other_state(tenant: Tenant) -> str:
    return lifecycles(tenant)["Other"]


class Sales:
    """The events of one subscription that names the tenant's workspace, and of one that names none."""

    def __init__(self, tenant: Tenant) -> None:
        self.stripe = Stripe(tenant)
        self.checkout = self.stripe.checkout(NOON)

    def named(self, status: str, day: int) -> Event:
        return self._event("created" if day == 0 else "updated", self.stripe.subscription(status), day)

    def nameless(self, status: str, day: int) -> Event:
        return self._event("updated", self.stripe.second(status, NOON, metadata={}), day)

    def _event(self, kind: str, thing: Mapping[str, Any], day: int) -> Event:
        return self.stripe.event(f"customer.subscription.{kind}", thing, NOON + day * DAY)


def test_what_names_a_workspace_sells_no_other_one_and_each_moment_is_known_afterwards() -> None:
    make_plan()
    tenant = make_tenant()
    other, sales = WorkspaceId(other_workspace(tenant).pk), Sales(tenant)
    assert set(lifecycles(tenant).values()) == {"pre_subscription"}
    told: list[tuple[datetime, LifecycleFacts]] = []
    for event, wanted in (
        (sales.checkout, "pre_subscription"),
        (sales.named("active", 0), "pre_subscription"),
        (sales.nameless("incomplete", 1), "pre_subscription"),
        (sales.nameless("active", 2), "active"),
        (sales.named("past_due", 3), "active"),
        (sales.nameless("canceled", 4), "pre_subscription"),
        (sales.named("canceled", 5), "suspended_read_only"),
        (sales.nameless("paused", 6), "active"),
    ):
        process_all([event])
        assert other_state(tenant) == wanted
        now = clock.now()
        told.append((now, workspace_facts(other, at=now)))
    assert tenant.config.subscription_scope == "organization"
    for moment, facts in told:
        assert facts_as_of(other, moment) == facts


@pytest.mark.parametrize(
    ("later", "wanted"),
    [
        ((("named", "active"), ("nameless", "canceled")), "pre_subscription"),
        ((("named", "canceled"), ("nameless", "active")), "active"),
        ((("named", "canceled"), ("nameless", "canceled")), "suspended_read_only"),
    ],
)
@pytest.mark.slow
@pytest.mark.slow
def test_every_order_of_the_news_ends_alike(later: tuple[tuple[str, str], ...], wanted: str) -> None:
    make_plan()
    for order in itertools.islice(itertools.permutations(range(5)), 0, None, 23):
        tenant = make_tenant()
        other_workspace(tenant)
        sales = Sales(tenant)
        events = [sales.checkout, sales.named("active", 0), sales.nameless("active", 1)]
        events += [getattr(sales, which)(status, 2) for which, status in later]
        process_all([events[place] for place in order])
        assert other_state(tenant) == wanted, order


def staff_set(tenant: Tenant, status: str) -> None:
    change = SetSubscriptionStatus(SubscriptionStatus(status))
    payment_config_change(staff_context(), organization_id=tenant.organization_id, change=change, reason=REASON)


def test_what_staff_set_speaks_of_the_whole_organization_until_the_status_changes() -> None:
    make_plan()
    tenant = make_tenant()
    other_workspace(tenant)
    sales = Sales(tenant)
    staff_set(tenant, "subscribed")
    assert other_state(tenant) == "active"
    process_all([sales.checkout, sales.named("active", 0)])
    assert (other_state(tenant), tenant.config.subscription_scope) == ("active", "staff")
    process_all([sales.named("canceled", 1)])
    assert other_state(tenant) == "suspended_read_only"
    process_all([sales.named("active", 2)])
    assert (other_state(tenant), tenant.config.subscription_scope) == ("pre_subscription", "workspaces")


def forget_scopes() -> None:
    """Make everything as the release before left it: no config has a scope, and no entry tells one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('pghistory.context_metadata', '', true)")
        cursor.execute("UPDATE subscriptions_organizationpaymentconfig SET subscription_scope = 'organization'")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE core_auditentry SET after = after - 'subscription_scope' WHERE after ? 'version'")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


@pytest.mark.slow
def test_the_migration_fills_what_was_sold_before_and_history_knows_it() -> None:
    make_plan()
    tenants = {name: make_tenant() for name in ("named", "mixed", "by staff", "over", "fresh")}
    others = {name: WorkspaceId(other_workspace(tenant).pk) for name, tenant in tenants.items()}
    sales = {name: Sales(tenant) for name, tenant in tenants.items()}
    staff_set(tenants["by staff"], "subscribed")
    for name in ("named", "mixed", "by staff", "over"):
        process_all([sales[name].checkout, sales[name].named("active", 0)])
    process_all([sales["mixed"].nameless("active", 1), sales["over"].named("canceled", 1)])
    before = {name: lifecycles(tenant) for name, tenant in tenants.items()}
    forget_scopes()
    assert other_state(tenants["named"]) == "active"
    with connection.cursor() as cursor:
        cursor.execute(FILL)
    assert {name: lifecycles(tenant) for name, tenant in tenants.items()} == before
    scopes = dict(OrganizationPaymentConfig.objects.values_list("organization", "subscription_scope"))
    assert {name: scopes[tenant.organization.pk] for name, tenant in tenants.items()} == {
        "named": "workspaces",
        "mixed": "organization",
        "by staff": "staff",
        "over": "organization",
        "fresh": "organization",
    }
    now = clock.now()
    for other in others.values():
        assert facts_as_of(other, now) == workspace_facts(other, at=now)
