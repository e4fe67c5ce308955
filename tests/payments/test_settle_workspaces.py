"""The record of a workspace is a function of all its mirrored subscriptions, of whatever provider (spec 03, 04)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from apps.core.errors import ConflictError
from apps.core.ids import WorkspaceId
from apps.payments.models import Review
from apps.payments.services.checkout import may_subscribe
from apps.payments.workspace_sync import review_close
from apps.subscriptions.contracts import Activate, End, HandToProvider, Suspend, WorkspacePlace
from apps.subscriptions.enums import Provider
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import ProviderEvidence, WorkspaceSubscription
from tests.contexts import staff_context
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant, stored
from tests.payments.test_process_orb_event import customer_of, whole
from tests.subscriptions.cast import REASON, make_plan, staff_change

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def record_of(tenant: Tenant) -> WorkspaceSubscription:
    return WorkspaceSubscription.objects.get(workspace=tenant.workspace)


def reviews(tenant: Tenant) -> list[str]:
    return sorted(Review.objects.filter(workspace=tenant.workspace).values_list("kind", flat=True))


def in_orb(tenant: Tenant, name: str, kind: str, day: int, **values: Any) -> dict[str, Any]:
    thing = {
        "id": f"{name}_{tenant.customer}",
        "status": "active",
        "start_date": (NOON + values.pop("start") * DAY).isoformat(),
        "plan": {"id": "p", "external_plan_id": "team"},
        "metadata": {"workspace_id": str(tenant.workspace.pk)},
        **values,
    }
    return whole(tenant, f"subscription.{kind}", thing, NOON + day * DAY)


def sold(tenant: Tenant) -> Stripe:
    """A subscription of Stripe that runs since noon."""
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON), stripe.event("customer.subscription.created", stripe.subscription("active"), NOON))
    return stripe


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_move_from_stripe_to_orb_ends_the_same_in_every_order(order: Sequence[int]) -> None:
    tenant = make_tenant()
    make_plan()
    stripe = sold(tenant)
    moves: list[tuple[str, dict[str, Any]]] = [
        ("orb", in_orb(tenant, "osub", "started", 3, start=3)),
        ("stripe", stripe.event("customer.subscription.updated", stripe.subscription("active"), NOON + 4 * DAY)),
        ("stripe", stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + 5 * DAY)),
    ]
    for position in order:
        provider, event = moves[position]
        deliver(event, provider=provider)
        assert stored(event).status == "processed", stored(event).error
    record = record_of(tenant)
    assert (record.state, record.managed_by, record.provider_subscription_id) == (
        "active",
        "orb",
        f"osub_{tenant.customer}",
    )
    assert (record.started_at, record.ended_at, reviews(tenant)) == (NOON + 3 * DAY, None, [])


def test_two_that_are_charged_are_named_until_one_ends() -> None:
    tenant = make_tenant()
    make_plan()
    stripe = sold(tenant)
    deliver(in_orb(tenant, "osub", "started", 3, start=3), provider="orb")
    assert reviews(tenant) == ["charged_twice"]
    sentence = Review.objects.get().sentence
    for named in (f"Stripe sub_{stripe.prefix} (team, active since 1 April 2026)", f"Orb osub_{tenant.customer}"):
        assert named in sentence
    deliver(stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + 5 * DAY))
    assert reviews(tenant) == []


def test_after_the_end_at_one_provider_a_start_at_the_other_starts_it() -> None:
    tenant = make_tenant()
    make_plan()
    stripe = sold(tenant)
    deliver(stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + DAY))
    assert record_of(tenant).state == "ended"
    deliver(in_orb(tenant, "osub", "started", 3, start=3), provider="orb")
    assert (record_of(tenant).state, record_of(tenant).managed_by, tenant.config.subscription_status) == (
        "active",
        "orb",
        "subscribed",
    )


def place_of(tenant: Tenant) -> WorkspacePlace:
    return WorkspacePlace(WorkspaceId(tenant.workspace.pk), tenant.organization_id)


@pytest.mark.slow
def test_what_starts_after_staff_ended_the_record_starts_it_and_asks() -> None:
    tenant = make_tenant()
    make_plan()
    stripe = sold(tenant)
    staff_change(place_of(tenant), End())
    ended = record_of(tenant)
    assert ended.ended_at is not None
    # What ran before goes on at Stripe: that is a difference, and no start; nothing else is sold meanwhile.
    deliver(stripe.event("customer.subscription.updated", stripe.subscription("active"), NOON + DAY))
    assert (record_of(tenant).state, reviews(tenant)) == ("ended", ["differs"])
    assert ProviderEvidence.objects.get().why_kept == "staff ended the record afterwards"
    assert not may_subscribe(place_of(tenant).workspace_id)
    deliver(stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + 2 * DAY))
    assert reviews(tenant) == []
    assert may_subscribe(place_of(tenant).workspace_id)
    later = ended.ended_at.replace(microsecond=0) + DAY
    deliver(stripe.event("customer.subscription.created", stripe.second("active", later), later))
    assert (record_of(tenant).state, record_of(tenant).managed_by, reviews(tenant)) == (
        "active",
        "stripe",
        ["restarted"],
    )
    assert not may_subscribe(place_of(tenant).workspace_id)
    workspace_id = place_of(tenant).workspace_id
    review_close(staff_context(), workspace_id=workspace_id, reason=REASON)
    assert reviews(tenant) == []
    with pytest.raises(ConflictError, match="Nothing is left"):
        review_close(staff_context(), workspace_id=workspace_id, reason=REASON)


def test_while_staff_manage_a_running_record_the_difference_is_asked_until_it_is_handed_back() -> None:
    tenant = make_tenant()
    make_plan()
    make_plan("business")
    stripe = sold(tenant)
    place = place_of(tenant)
    staff_change(place, Suspend())
    assert reviews(tenant) == ["differs"]
    changed = stripe.subscription("past_due", plan="business")
    deliver(stripe.event("customer.subscription.updated", changed, NOON + DAY))
    assert (record_of(tenant).state, reviews(tenant)) == ("suspended", ["differs"])
    staff_change(place, HandToProvider(Provider.STRIPE))
    record = record_of(tenant)
    assert (record.state, record.plan.slug, record.managed_by, reviews(tenant)) == (
        "past_due",
        "business",
        "stripe",
        [],
    )


def test_one_that_never_ran_ends_nothing() -> None:
    tenant = make_tenant()
    make_plan()
    gone = in_orb(tenant, "osub", "ended", 0, start=3, status="ended", end_date=NOON.isoformat())
    deliver(whole(tenant, "customer.created", customer_of(tenant), NOON), gone, provider="orb")
    assert stored(gone).status == "processed"
    assert (tenant.config.subscription_status, WorkspaceSubscription.objects.count()) == ("pre_subscription", 0)


def test_a_record_that_staff_tied_by_its_name_follows_one_that_names_no_workspace() -> None:
    tenant = make_tenant()
    plan = make_plan()
    stripe = Stripe(tenant)
    nameless = stripe.event("customer.subscription.created", stripe.subscription("past_due", metadata={}), NOON)
    deliver(stripe.checkout(NOON), nameless)
    place = place_of(tenant)
    staff_change(place, Activate(PlanId(plan.pk)))
    staff_change(place, HandToProvider(Provider.STRIPE, f"sub_{stripe.prefix}"))
    assert record_of(tenant).state == "past_due"
    paid = stripe.subscription("active", metadata={})
    deliver(stripe.event("customer.subscription.updated", paid, NOON + DAY))
    assert (record_of(tenant).state, record_of(tenant).managed_by) == ("active", "stripe")
