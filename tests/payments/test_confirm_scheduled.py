"""A provider that tells of exactly the scheduled change confirms it; what it tells else drops one without sense."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from apps.core import clock
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import HandToProvider, Suspend
from apps.subscriptions.enums import Provider
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import PendingChange, Plan
from apps.subscriptions.services import pending_change_record
from tests.contexts import staff_context
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant
from tests.payments.test_settle_workspaces import DAY, in_orb, place_of, record_of, sold
from tests.subscriptions.cast import REASON, make_plan, staff_change

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    for slug in ("team", "business", "small"):
        make_plan(slug)
    return make_tenant()


@pytest.fixture
def stripe(tenant: Tenant) -> Stripe:
    return sold(tenant)


def schedule(tenant: Tenant, slug: str = "") -> PendingChange:
    """An end, or the plan with this slug, on a day to come."""
    return pending_change_record(
        staff_context(),
        workspace_id=place_of(tenant).workspace_id,
        due_at=clock.now() + timedelta(days=30),
        plan_id=PlanId(Plan.objects.get(slug=slug).pk) if slug else None,
        reason=REASON,
    )


def told(pending: PendingChange) -> tuple[str, str, list[str]]:
    """Its status, by whom, and the events of its entries."""
    pending.refresh_from_db()
    rows = AuditEntry.objects.filter(target_type="pending_change", target_id=str(pending.pk)).order_by("sequence")
    return pending.status, pending.settled_by, list(rows.values_list("event", flat=True))


def updated(stripe: Stripe, at: datetime, status: str = "active", plan: str = "team") -> None:
    kind = "deleted" if status == "canceled" else "updated"
    deliver(stripe.event(f"customer.subscription.{kind}", stripe.subscription(status, plan=plan), at))


@pytest.mark.parametrize(
    ("scheduled", "status", "plan", "fate"),
    [
        ("", "canceled", "team", "applied"),
        ("business", "active", "business", "applied"),
        ("business", "past_due", "business", "applied"),
        ("business", "active", "small", "dropped"),
        ("business", "canceled", "team", "dropped"),
        ("", "active", "business", "open"),
        ("business", "past_due", "team", "open"),
    ],
)
def test_what_stripe_tells(tenant: Tenant, stripe: Stripe, scheduled: str, status: str, plan: str, fate: str) -> None:
    pending = schedule(tenant, scheduled)
    updated(stripe, NOON + DAY, status, plan)
    last = {"open": [], "applied": ["pending_change.applied"], "dropped": ["pending_change.dropped"]}[fate]
    by = "" if fate == "open" else "stripe"
    found = told(pending)
    assert (found[0], found[2]) == (fate, ["pending_change.recorded", *last])
    assert by in found[1]
    updated(stripe, NOON + DAY, status, plan)
    assert told(pending) == found


def test_what_a_provider_tells_while_staff_decide_confirms_nothing_until_it_is_handed_back(
    tenant: Tenant, stripe: Stripe
) -> None:
    pending = schedule(tenant, "business")
    staff_change(place_of(tenant), Suspend())
    updated(stripe, NOON + DAY, plan="business")
    assert told(pending)[0] == "open"
    staff_change(place_of(tenant), HandToProvider(Provider.STRIPE))
    assert (record_of(tenant).plan.slug, told(pending)[0]) == ("business", "applied")


def test_a_move_to_another_subscription_is_no_end_that_was_scheduled(tenant: Tenant, stripe: Stripe) -> None:
    pending = schedule(tenant)
    deliver(in_orb(tenant, "osub", "started", 3, start=3), provider="orb")
    assert (record_of(tenant).state, record_of(tenant).managed_by) == ("active", "orb")
    assert told(pending)[0] == "dropped"
