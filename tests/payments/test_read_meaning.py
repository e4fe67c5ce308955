"""What a subscription means: its plan by its price, its end by either form, its pause (spec 04, Webhooks)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from apps.payments.contracts import PricedItem
from apps.payments.enums import PlanReferenceKind as Kind
from apps.payments.mirror import match_item
from apps.payments.models import PlanReference, ProviderSubscription
from apps.payments.providers.stripe.events import parse_event
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import WorkspaceSubscription
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant, seconds, stored
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db
MONTH, YEAR = timedelta(days=30), timedelta(days=365)


def item(price: str, lookup_key: str | None = None, product: str | None = None, *, days: int = 30) -> dict[str, Any]:
    return {
        "id": f"si_{price}",
        "current_period_start": seconds(NOON),
        "current_period_end": seconds(NOON + timedelta(days=days)),
        "price": {"id": price, "lookup_key": lookup_key, "product": product},
    }


def items(*values: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(values)}


def tell(stripe: Stripe, hours: int = 0, **values: Any) -> dict[str, Any]:
    thing = {**stripe.subscription("active"), **values}
    return stripe.event("customer.subscription.updated", thing, NOON + timedelta(hours=hours))


def record_of(tenant: Tenant) -> WorkspaceSubscription:
    return WorkspaceSubscription.objects.get(workspace=tenant.workspace)


@pytest.fixture
def stripe() -> Stripe:
    make_plan("team")
    make_plan("business")
    found = Stripe(make_tenant())
    deliver(found.checkout(NOON))
    return found


SEATS, TEAM = item("price_s", "extra-seats", "prod_s", days=7), item("price_t", "team", "prod_t", days=365)


@pytest.mark.parametrize("told", [[SEATS, TEAM], [TEAM, SEATS], [SEATS, SEATS, TEAM], [TEAM]])
def test_the_item_whose_price_is_a_plan_gives_plan_and_both_ends(
    stripe: Stripe, told: Sequence[dict[str, Any]]
) -> None:
    event = tell(stripe, items=items(*told))
    deliver(event)
    assert stored(event).status == "processed", stored(event).error
    mirrored = ProviderSubscription.objects.get()
    assert (mirrored.plan_key, mirrored.period_start, mirrored.period_end) == ("team", NOON, NOON + YEAR)
    assert record_of(stripe.tenant).plan.slug == "team"


@pytest.mark.parametrize("kind", list(Kind))
def test_a_plan_is_known_by_each_of_its_names(stripe: Stripe, kind: Kind) -> None:
    plan = make_plan("scale")
    value = {Kind.PRICE: "price_x", Kind.LOOKUP_KEY: "scale-2026", Kind.PRODUCT: "prod_x"}[kind]
    PlanReference.objects.create(plan=plan, provider=Provider.STRIPE, kind=kind, value=value)
    deliver(tell(stripe, items=items(SEATS, item("price_x", "scale-2026", "prod_x"))))
    assert ProviderSubscription.objects.get().plan_key == "scale"


METADATA: dict[str, tuple[dict[str, str], str]] = {
    "a plan changed in the portal outranks ours": ({"countinghouse_plan": "business"}, "team"),
    "and the former key": ({"plan": "business", "organization_id": "{organization}"}, "team"),
    "a merchant's own key": ({"plan": "gold-tier"}, "team"),
    "nothing": ({}, "team"),
}


@pytest.mark.parametrize("kind", METADATA)
def test_the_price_decides_before_any_metadata(stripe: Stripe, kind: str) -> None:
    told, slug = METADATA[kind]
    assert plan_key_of(stripe, told, TEAM) == slug


UNPRICED = {
    "ours": ({"countinghouse_plan": "business"}, "business"),
    "the former key of our own checkout": ({"plan": "business", "organization_id": "{organization}"}, "business"),
    "a merchant's own key": ({"plan": "business"}, "addon"),
    "ours before the former": (
        {"plan": "team", "countinghouse_plan": "business", "organization_id": "{organization}"},
        "business",
    ),
}


@pytest.mark.parametrize("kind", UNPRICED)
def test_where_no_price_is_ours_our_metadata_count(stripe: Stripe, kind: str) -> None:
    told, slug = UNPRICED[kind]
    assert plan_key_of(stripe, told, item("price_a", "addon")) == slug


def plan_key_of(stripe: Stripe, told: dict[str, str], *of: dict[str, Any]) -> str:
    organization = str(stripe.tenant.organization.pk)
    metadata = {name: value.format(organization=organization) for name, value in told.items()}
    metadata["workspace_id"] = str(stripe.tenant.workspace.pk)
    deliver(tell(stripe, items=items(*of), metadata=metadata))
    return str(ProviderSubscription.objects.get().plan_key)


@pytest.mark.parametrize("is_old_news_first", [True, False])
def test_a_price_once_recognised_outlives_its_lookup_key(stripe: Stripe, is_old_news_first: bool) -> None:
    with_key, without = (
        tell(stripe, 0, items=items(item("price_t", "team"))),
        tell(stripe, 1, items=items(item("price_t"))),
    )
    both = [with_key, without] if is_old_news_first else [without, with_key]
    deliver(both[0])
    deliver(both[1])
    assert ProviderSubscription.objects.get().plan_key == "team"
    assert PlanReference.objects.values_list("value", "is_remembered").get() == ("price_t", True)


def test_a_remembered_price_counts_before_a_lookup_key_and_that_before_a_product() -> None:
    one = PricedItem("p", "k", "q")
    names = {(Kind.PRICE, "p"): "a", (Kind.LOOKUP_KEY, "k"): "b", (Kind.PRODUCT, "q"): "c"}
    for count, slug in ((3, "a"), (2, "b"), (1, "c"), (0, None)):
        match = match_item([one], dict(list(names.items())[3 - count :]))
        assert (match.slug if match else None) == slug


CANCELLED: dict[str, dict[str, Any]] = {
    "with the period": {"cancel_at_period_end": True},
    "at a date": {"cancel_at": seconds(NOON + timedelta(days=90))},
    "at a date, and with the period": {"cancel_at": seconds(NOON + MONTH), "cancel_at_period_end": True},
}


@pytest.mark.parametrize("forms", list(itertools.permutations(CANCELLED, 2)))
def test_either_form_of_cancelling_counts_with_its_date(stripe: Stripe, forms: Sequence[str]) -> None:
    deliver(tell(stripe))
    for hours, form in enumerate(forms, 1):
        deliver(tell(stripe, hours, **CANCELLED[form]))
        mirrored = ProviderSubscription.objects.get()
        days = 90 if form == "at a date" else 30
        assert (mirrored.cancel_at or mirrored.period_end) == NOON + timedelta(days=days)
        assert mirrored.cancel_at_period_end
        assert record_of(stripe.tenant).cancel_at_period_end
    deliver(tell(stripe, 9))
    assert not ProviderSubscription.objects.get().cancel_at_period_end
    assert not record_of(stripe.tenant).cancel_at_period_end


PAUSES: dict[str, Any] = {
    "mark_uncollectible": {"behavior": "mark_uncollectible", "resumes_at": None},
    "void": {"behavior": "void"},
    "paused": {"behavior": None},
}


@pytest.mark.parametrize("kind", PAUSES)
def test_a_pause_is_mirrored_with_its_span(stripe: Stripe, kind: str) -> None:
    deliver(tell(stripe))
    deliver(tell(stripe, 1, pause_collection=PAUSES[kind]))
    mirrored = ProviderSubscription.objects.get()
    assert (mirrored.pause_behavior, mirrored.status) == (kind, "active")
    resumed = tell(stripe, 30)
    resumed["data"]["previous_attributes"] = {"pause_collection": PAUSES[kind]}
    deliver(resumed)
    mirrored.refresh_from_db()
    assert mirrored.pause_behavior == ""
    assert (mirrored.paused_from, mirrored.paused_until) == (NOON + timedelta(hours=1), NOON + timedelta(hours=30))


def test_parts_that_are_no_items_are_passed_over() -> None:
    stripe = Stripe(Tenant(None, None, "cus_1"))  # type: ignore[arg-type]
    stripe_thing = {"id": "sub_1", "customer": "cus_1", "status": "active", "created": seconds(NOON)}
    for listed in (None, {}, {"data": None}, {"data": [None, {"price": None}, {"price": {"id": 5}}]}, "none"):
        event = stripe.event("customer.subscription.updated", {**stripe_thing, "items": listed}, NOON)
        snapshot = parse_event(event).snapshot
        assert snapshot is not None
        assert snapshot.items == ()
