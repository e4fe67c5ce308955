"""A workspace's own subscription switches its connectors off when it ends, and on when it starts again (spec 04)."""

from __future__ import annotations

import itertools

import pytest

from apps.connectors.models import Connector, ConnectorEvent
from apps.core import clock
from apps.payments.rules.statuses import cause_of_record, cause_of_verb
from apps.subscriptions.contracts import Activate, End, HandToProvider, Period, StartTrial, Suspend, WorkspacePlace
from apps.subscriptions.enums import Provider, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import Plan
from apps.subscriptions.preview import preview
from apps.subscriptions.rules.transitions import SUBSCRIPTION_TRANSITIONS
from apps.tenants.models import Workspace
from tests.contexts import staff_context
from tests.factories.tenants import make_workspace
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant
from tests.payments.test_count_money import mails
from tests.payments.test_settle_workspaces import DAY, in_orb, place_of, sold
from tests.subscriptions.cast import make_plan, staff_change

ENDED = "unsubscribed:workspace"
States = dict[str, tuple[str, list[str]]]


def test_which_verbs_and_which_records_switch() -> None:
    found = {verb: cause_of_verb(verb) for verb in SUBSCRIPTION_TRANSITIONS}
    assert {verb: cause.is_arrival for verb, cause in found.items() if cause} == {
        "start_trial": False,
        "activate": False,
        "end": True,
    }
    for was, now in itertools.product([None, *SubscriptionState], repeat=2):
        cause = cause_of_record(was, now)
        ends, starts = now == "ended" != was, was == "ended" != now
        assert (cause is None, cause is not None and cause.is_arrival) == (not ends and not starts, ends)


@pytest.fixture
def tenant(db: None) -> Tenant:
    """Two workspaces with a running connector each; in the first one is off, by a person, and one waits."""
    made, _ = make_tenant(), make_plan()
    other = make_workspace(made.organization, name="Lab")
    rows = [(made.workspace, "Feed", "enabled"), (made.workspace, "Old", "disabled")]
    rows += [(made.workspace, "New", "pending"), (other, "Lab feed", "enabled")]
    for workspace, name, status in rows:
        Connector.objects.create(workspace=workspace, provider="demo", name=name, status=status)
    return made


def states(tenant: Tenant) -> States:
    rows = Connector.objects.filter(workspace__organization=tenant.organization)
    return {row.name: (row.status, row.auto_disable_causes) for row in rows}


def told(tenant: Tenant) -> list[str]:
    """What the timelines of the organization's connectors tell, in order."""
    rows = ConnectorEvent.objects.filter(connector__workspace__organization=tenant.organization).order_by("pk")
    return [f"{name} {kind}" for name, kind in rows.values_list("connector__name", "kind")]


RUNS: States = {"Feed": ("enabled", []), "Old": ("disabled", []), "New": ("pending", []), "Lab feed": ("enabled", [])}
OFF: States = {
    "Feed": ("auto_disabled", [ENDED]),
    "Old": ("disabled", [ENDED]),
    "New": ("pending", [ENDED]),
    "Lab feed": ("enabled", []),
}


def team() -> PlanId:
    return PlanId(Plan.objects.get(slug="team").pk)


def test_staff_end_one_and_start_it_again(tenant: Tenant) -> None:
    place, now = place_of(tenant), clock.now()
    staff_change(place, Activate(team(), Period(now, now + 30 * DAY)))
    assert (states(tenant), told(tenant)) == (RUNS, [])
    staff_change(place, Suspend())
    assert states(tenant) == RUNS, "a suspension is no end"
    seen = preview_of(place, End())
    assert f"1 connector will be switched off: Feed ({tenant.workspace.name})." in seen
    assert (states(tenant), mails(tenant)) == (RUNS, [])
    staff_change(place, End())
    assert (states(tenant), told(tenant)) == (OFF, ["Feed auto_disabled"])
    [mail] = mails(tenant)
    assert mail["subject"] == f"Its connectors are switched off: {tenant.workspace.name}"
    assert f"We switched off Feed ({tenant.workspace.name})." in mail["text"]
    trial = StartTrial(team(), now + 14 * DAY)
    assert f"1 connector will be enabled again: Feed ({tenant.workspace.name})." in preview_of(place, trial)
    staff_change(place, trial)
    assert (states(tenant), told(tenant)) == (RUNS, ["Feed auto_disabled", "Feed restored"])
    assert len(mails(tenant)) == 1
    staff_change(place, Activate())
    staff_change(place, End())
    assert (states(tenant), len(mails(tenant))) == (OFF, 2), "each end is told once"


def preview_of(place: WorkspacePlace, change: End | StartTrial) -> tuple[str, ...]:
    seen = preview(
        staff_context(),
        workspace_id=place.workspace_id,
        verb=change.verb,
        inputs={},
        run=lambda: staff_change(place, change),
    )
    return seen.consequences


def second_subscription(tenant: Tenant, stripe: Stripe) -> None:
    """One of the other workspace, so that the organization stays subscribed."""
    other = Workspace.objects.get(organization=tenant.organization, name="Lab")
    metadata = {"workspace_id": str(other.pk)}
    thing = stripe.subscription("active", id=f"sub_{stripe.prefix}_lab", metadata=metadata)
    deliver(stripe.event("customer.subscription.created", thing, NOON))


def test_a_provider_ends_one_and_starts_another(tenant: Tenant) -> None:
    stripe = sold(tenant)
    second_subscription(tenant, stripe)
    assert states(tenant) == RUNS
    gone = stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + DAY)
    deliver(gone)
    deliver(gone)
    assert tenant.config.subscription_status == "subscribed"
    assert (states(tenant), told(tenant), len(mails(tenant))) == (OFF, ["Feed auto_disabled"], 1)
    deliver(in_orb(tenant, "osub", "started", 3, start=3), provider="orb")
    assert (states(tenant), told(tenant)) == (RUNS, ["Feed auto_disabled", "Feed restored"])


def test_a_record_that_moves_to_another_subscription_switches_nothing(tenant: Tenant) -> None:
    stripe = sold(tenant)
    deliver(in_orb(tenant, "osub", "started", 3, start=3), provider="orb")
    deliver(stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + 5 * DAY))
    assert (states(tenant), told(tenant), mails(tenant)) == (RUNS, [], [])


def test_an_end_that_the_mirror_tells_when_staff_hand_back(tenant: Tenant) -> None:
    stripe = sold(tenant)
    second_subscription(tenant, stripe)
    staff_change(place_of(tenant), Suspend())
    deliver(stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + DAY))
    assert states(tenant) == RUNS
    staff_change(place_of(tenant), HandToProvider(Provider.STRIPE))
    assert (states(tenant), told(tenant)) == (OFF, ["Feed auto_disabled"])


def test_the_end_of_the_last_one_is_told_once_and_both_causes_must_go(tenant: Tenant) -> None:
    stripe = sold(tenant)
    deliver(stripe.event("customer.subscription.deleted", stripe.subscription("canceled"), NOON + DAY))
    assert states(tenant)["Feed"] == ("auto_disabled", ["unsubscribed", ENDED])
    assert states(tenant)["Lab feed"] == ("auto_disabled", ["unsubscribed"])
    [mail] = mails(tenant)
    assert "The subscription of Northwind has ended." in mail["text"]
    now = clock.now()
    staff_change(place_of(tenant), Activate(team(), Period(now, now + 30 * DAY)))
    assert states(tenant)["Feed"] == ("auto_disabled", ["unsubscribed"])
    later = now.replace(microsecond=0) + DAY
    second = stripe.second("active", later)
    deliver(stripe.event("customer.subscription.created", second, later))
    assert states(tenant) == RUNS
