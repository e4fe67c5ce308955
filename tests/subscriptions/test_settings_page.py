"""The Settings page: commercial facts to read, the time zone for admins to set, and nothing for a closed door."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.enums import LifecycleState, MembershipRole
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import (
    Activate,
    EndGrace,
    HandToProvider,
    Lock,
    PaymentConfigChange,
    Period,
    SetCancelAtPeriodEnd,
    SetUsageOverride,
    StartGrace,
    StartTrial,
    WorkspacePlace,
)
from apps.subscriptions.enums import Provider, SubscriptionState, UsageCategoryOverride
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import OrganizationPaymentConfig, Plan
from apps.subscriptions.services import overlay_set, payment_config_change
from apps.tenants.models import Organization, User, Workspace
from tests.contexts import staff_context
from tests.factories.tenants import make_membership, make_organization, make_signing_in_user, make_workspace
from tests.markup import Page
from tests.subscriptions.cast import REASON, lead_to, make_plan, provider_context, staff_change

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 3, 12, tzinfo=UTC)


class Room:
    """A workspace with one member of each role, and a browser for each of them."""

    def __init__(self) -> None:
        self.organization: Organization = make_organization("Northwind", time_zone="Europe/Berlin")
        self.workspace: Workspace = make_workspace(self.organization)
        self.plan = PlanId(make_plan().pk)
        self.place = WorkspacePlace(WorkspaceId(self.workspace.pk), OrganizationId(self.organization.pk))
        self.path = reverse("billing-settings", args=[self.workspace.slug])
        self.people: dict[str, User] = {}
        for role in MembershipRole:
            self.people[role.value] = make_signing_in_user()
            make_membership(self.organization, self.people[role.value], role)

    def client(self, role: str = "viewer", *, enforces_csrf: bool = False) -> Client:
        client = Client(enforce_csrf_checks=enforces_csrf)
        client.force_login(self.people[role], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def see(self, role: str = "viewer", status: int = 200) -> Page:
        answer = self.client(role).get(self.path)
        assert answer.status_code == status
        page = Page(answer.content.decode())
        assert page.inline == []
        return page

    def pay(self, change: PaymentConfigChange) -> None:
        payment_config_change(provider_context(), organization_id=self.place.organization_id, change=change)

    def close(self) -> None:
        Organization.objects.filter(pk=self.organization.pk).update(closed_at=clock.now())

    def kept(self) -> tuple[Any, ...]:
        self.organization.refresh_from_db()
        return self.organization.time_zone, AuditEntry.objects.count()


@pytest.fixture(scope="module")
def lasting_room(lasting_db: None) -> Room:
    return Room()


@pytest.fixture
def room(lasting_room: Room, db: None) -> Room:
    """What a test changes on its objects stays with the test, as what it writes does."""
    return deepcopy(lasting_room)


def has_form(page: Page) -> bool:
    return any(name == "input" and attributes.get("name") == "time_zone" for name, attributes in page.elements)


@time_machine.travel(NOW, tick=False)
def test_it_tells_plan_dates_and_who_manages(room: Room) -> None:
    period = Period(NOW - timedelta(days=10), NOW + timedelta(days=20))
    staff_change(room.place, Activate(room.plan, period))
    staff_change(room.place, SetCancelAtPeriodEnd(value=True))
    staff_change(room.place, HandToProvider(Provider.STRIPE, "sub_secret"))
    page = room.see()
    for words in (
        "State Active Everything works.",
        "Plan Team 49.00 EUR a month",
        "Current period 24 March 2026 to 23 April 2026 ends in 20 days",
        "After this period Cancelled It does not renew.",
        "Managed by Stripe",
        "Payments Not set up",
        "Billing Pay as you go",
        "Time zone Europe/Berlin",
    ):
        assert words in page.text
    assert "sub_secret" not in page.text


@time_machine.travel(NOW, tick=False)
def test_a_trial_and_a_grace_period_tell_the_days_that_are_left(room: Room) -> None:
    staff_change(room.place, StartTrial(room.plan, NOW + timedelta(days=14)))
    assert "Trial ends 17 April 2026 in 14 days" in room.see().text
    room.pay(StartGrace(started_at=NOW - timedelta(days=4)))
    text = room.see().text
    assert "Payments Overdue" in text
    assert "Grace period ends 13 April 2026 in 10 days" in text
    assert "A payment is overdue A payment failed, and a grace period began. It ends on 13 April 2026" in text


def test_a_usage_override_is_told_in_words(room: Room) -> None:
    payment_config_change(
        staff_context(),
        organization_id=room.place.organization_id,
        change=SetUsageOverride(UsageCategoryOverride.INTERNAL),
        reason=REASON,
        expected_version=OrganizationPaymentConfig.objects.get(organization=room.organization).version,
    )
    assert "Billing Internal" in room.see().text


def test_without_a_subscription_it_says_what_to_do(room: Room) -> None:
    text = room.see().text
    assert "No subscription yet." in text
    assert "What to do: Choose a plan" in text


# How a workspace gets into each lifecycle state, and what its banner says; None where everything works.
BANNERS: dict[LifecycleState, tuple[str, str] | None] = {
    LifecycleState.PRE_SUBSCRIPTION: ("This workspace has no subscription yet", "What to do: Choose a plan"),
    LifecycleState.TRIAL: None,
    LifecycleState.ACTIVE: None,
    LifecycleState.GRACE: ("A payment is overdue", "What to do: Pay the open invoice"),
    LifecycleState.SUSPENDED_READ_ONLY: ("This workspace is read-only", "What to do: Contact our billing team"),
    LifecycleState.CLOSED: ("This organization is closed", "What to do: To reopen it"),
}


@pytest.mark.parametrize("state", LifecycleState)
def test_each_lifecycle_state_has_its_one_banner_with_what_helps(room: Room, state: LifecycleState) -> None:
    overlay_set(staff_context(), workspace_id=room.place.workspace_id, state=state, reason="they lie about it")
    page, wanted = room.see("owner"), BANNERS[state]
    banners = [attributes for name, attributes in page.elements if "banner" in attributes.get("class", "").split()]
    assert len(banners) == (0 if wanted is None else 1)
    assert "What to do" in page.text or wanted
    assert all(words in page.text for words in wanted or ())
    assert "lie about it" not in page.text


@pytest.mark.parametrize("state", SubscriptionState)
def test_every_state_of_the_record_has_a_page(room: Room, state: SubscriptionState) -> None:
    lead_to(room.place, state, room.plan)
    assert f"State {state.label}" in room.see().text


@pytest.mark.parametrize(
    ("change", "words"), [(EndGrace(), "A payment was not made in time."), (Lock(), "the account is locked.")]
)
def test_a_payment_that_blocks_is_told_with_its_way_out(room: Room, change: PaymentConfigChange, words: str) -> None:
    staff_change(room.place, Activate(room.plan))
    room.pay(StartGrace(started_at=clock.now() - timedelta(days=30)))
    room.pay(change)
    text = room.see().text
    assert "This workspace is read-only" in text
    assert words in text
    assert "What to do:" in text


def test_a_closed_organization_opens_to_its_owners_alone_and_tells_the_others_why(room: Room) -> None:
    room.close()
    assert "This organization is closed" in room.see("owner").text
    for role in ("viewer", "member", "admin"):
        page = room.see(role, status=403)
        assert "This organization is closed" in page.text
        assert "ask an owner of Northwind" in page.text
        assert "Plan" not in page.text
        assert room.path not in page.links()
    before = room.kept()
    assert room.client("admin").post(room.path, {"time_zone": "Asia/Tokyo"}).status_code == 403
    assert room.kept() == before


@pytest.mark.parametrize("role", MembershipRole)
def test_the_form_is_shown_to_those_who_may_use_it(room: Room, role: MembershipRole) -> None:
    may = role in {MembershipRole.OWNER, MembershipRole.ADMIN}
    assert has_form(room.see(role.value)) is may
    before = room.kept()
    answer = room.client(role.value).post(room.path, {"time_zone": "Asia/Tokyo"})
    assert answer.status_code == (302 if may else 403)
    assert room.kept() == (("Asia/Tokyo", before[1] + 1) if may else before)


def test_a_demotion_counts_at_the_very_next_request(room: Room) -> None:
    client = room.client("admin")
    assert client.get(room.path).status_code == 200
    make_membership(room.organization, room.people["admin"], MembershipRole.VIEWER)
    before = room.kept()
    assert client.post(room.path, {"time_zone": "Asia/Tokyo"}).status_code == 403
    assert room.kept() == before


def test_saving_says_so_and_moves_the_days(room: Room) -> None:
    page = room.client("admin").post(room.path, {"time_zone": "America/New_York"}, follow=True)
    assert page.redirect_chain == [(room.path, 302)]
    text = Page(page.content.decode()).text
    assert "Saved. The time zone is America/New York." in text
    assert "Times are shown in America/New_York" in text


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "<script>alert(1)</script>", "UTC" * 1000])
def test_a_zone_that_is_none_comes_back_with_a_sentence(room: Room, zone: str) -> None:
    before = room.kept()
    answer = room.client("admin").post(room.path, {"time_zone": zone})
    page = Page(answer.content.decode())
    assert answer.status_code == 422
    assert page.inline == []
    assert any(attributes.get("aria-invalid") == "true" for name, attributes in page.elements if name == "input")
    assert room.kept() == before


def test_a_zone_that_is_no_longer_offered_can_be_kept(room: Room) -> None:
    Organization.objects.filter(pk=room.organization.pk).update(time_zone="US/Eastern")
    page = room.see("admin")
    chosen = [attributes["value"] for name, attributes in page.elements if attributes.get("name") == "time_zone"]
    assert chosen == ["US/Eastern"]
    assert room.client("admin").post(room.path, {"time_zone": "US/Eastern"}).status_code == 302


def test_without_the_forms_token_nothing_changes(room: Room) -> None:
    before = room.kept()
    answer = room.client("owner", enforces_csrf=True).post(room.path, {"time_zone": "Asia/Tokyo"})
    assert answer.status_code == 403
    assert "no-store" in answer.headers["Cache-Control"]
    assert room.kept() == before


def test_a_hostile_plan_name_is_text(room: Room) -> None:
    hostile = "\"><script>alert(1)</script><img src=x>{{ 7|add:7 }}'"
    Plan.objects.update(name=hostile)
    staff_change(room.place, Activate(room.plan))
    page = room.see()
    assert hostile in page.text
    assert not any(attributes.get("src") == "x" for _, attributes in page.elements)


def test_the_page_asks_a_bounded_number_of_questions(room: Room) -> None:
    staff_change(room.place, Activate(room.plan))
    client = room.client("owner")
    client.get(room.path)
    with CaptureQueriesContext(connection) as captured:
        client.get(room.path)
    assert len(captured) <= 9, [query["sql"][:90] for query in captured]
