"""The seventeen tasks of support and billing operations, each done from the overview in at most three steps.

A step is a page or dialog that is opened, by a link of the page before it, by the search, or by a filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models import Connector, SyncRun
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import AuthorizationSource, Role
from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.core.models import AuditEntry
from apps.credits.models import CreditAccount, CreditEntry
from apps.credits.services import credit_policy_publish_prices, credits_consume
from apps.payments.enums import WebhookStatus
from apps.payments.models import WebhookEvent
from apps.reporting.services import rollups_refresh, runways_keep
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig, Plan, WorkspaceSubscription
from apps.tenants.models import ServiceToken, User
from tests.backoffice.records import make_event
from tests.connectors.cast import make_connector
from tests.contexts import console_context, product_context
from tests.credits.cast import PRICES, Place, consumption, give
from tests.factories.tenants import make_product, make_token, make_user
from tests.journeys.desk import Desk, dialog_of, list_of, page_of
from tests.journeys.room import Room
from tests.reporting.lives import at
from tests.subscriptions.cast import make_plan

pytestmark = [pytest.mark.django_db, pytest.mark.journey]
AT_MOST = 3
ORGANIZATION, WORKSPACE, ACCOUNT = "tenants_organization", "tenants_workspace", "credits_creditaccount"


class Customer:
    """A customer in a grace period whose contractor was refused yesterday at three; its connector fails."""

    def __init__(self) -> None:
        self.yesterday = (clock.now() - timedelta(days=1)).replace(hour=15, minute=0, second=0, microsecond=0)
        began = self.yesterday - timedelta(days=5)
        with at(began):
            self.room = Room("Aldgate")
            self.product = make_product("red", self.room.organization)
            credit_policy_publish_prices(console_context(), product_id=ProductId(self.product.pk), prices=PRICES)
            self.place = Place(self.product, self.room.organization, product_context(self.product))
            give(self.place, 22 * MICRO)
            self.contractor: User = make_user("temp0@contractor.example", name="Tem Porary")
        for day in range(1, 5):
            with at(began + timedelta(days=day)):
                self.use(3, f"run-{day}")
        with at(self.yesterday), pytest.raises(CountinghouseError):
            self.use(1, "run-refused", self.contractor)
        configs = OrganizationPaymentConfig.objects.filter(organization=self.room.organization)
        configs.update(payment_provider_id="cus_9s6XKzkNRiz8i3")
        self.room.begin_grace()
        configs.update(grace_period_end_at=clock.now() + timedelta(days=5))
        self.event = make_event(WebhookStatus.FAILED, customer_external_id="cus_9s6XKzkNRiz8i3")
        self.connector: Connector = make_connector(self.room.workspace)
        now = clock.now()
        SyncRun.objects.create(
            connector=self.connector,
            month=f"{now:%Y-%m}",
            trigger=SyncTrigger.SCHEDULE,
            status=SyncStatus.FAILED,
            actor_label="scheduler:sync",
            role=Role.SYSTEM,
            authorization_source=AuthorizationSource.SCHEDULER,
            error_code="unauthorized",
            error="The provider answered 401.",
            created_at=now,
            finished_at=now,
        )
        rollups_refresh(console_context())
        runways_keep(console_context())

    def use(self, quantity: int, run_id: str, person: User | None = None) -> None:
        acting = (person or self.room.people["member"]).pk
        values: dict[str, Any] = {"workspace_id": self.room.workspace.pk, "user_id": acting}
        item = consumption(self.place, operation="unit", quantity=quantity * MICRO, run_id=run_id, **values)
        credits_consume(self.place.context, consumption=item)

    @property
    def page(self) -> str:
        return page_of(ORGANIZATION, self.room.organization.pk)

    @property
    def workspace(self) -> str:
        return page_of(WORKSPACE, self.room.workspace.pk)

    def dialog(self, verb: str) -> str:
        return dialog_of(WORKSPACE, verb, self.room.workspace.pk)


@pytest.fixture(scope="module")
def customer(lasting_db: None) -> Customer:
    return Customer()


@pytest.fixture
def desk(customer: Customer) -> Iterator[Desk]:
    found = Desk()
    yield found
    assert 1 <= found.steps <= AT_MOST


@pytest.mark.parametrize("term", ["owner@aldgate.example", "cus_9s6XKzkNRiz8i3", "Aldgate"])
def test_1_and_2_the_customer_from_an_address_or_a_stripe_id(desk: Desk, customer: Customer, term: str) -> None:
    assert "Production: Grace" in desk.search(term).text
    assert customer.workspace in desk.follow(customer.page).html


def test_3_a_workspace_from_its_slug(desk: Desk, customer: Customer) -> None:
    assert "Aldgate · Production" in desk.search(customer.room.workspace.slug).follow(customer.workspace).text


def test_3_a_decision_from_its_id(desk: Desk) -> None:
    receipt = DecisionReceipt.objects.get()
    desk.search(str(receipt.pk)).follow(page_of("subscriptions_decisionreceipt", receipt.pk))
    assert "Tem Porary (temp0@contractor.example) may not do unit (1) in Production, Aldgate, through Red" in desk.text


def test_4_why_somebody_was_refused_yesterday_at_three(desk: Desk, customer: Customer) -> None:
    desk.follow(list_of("subscriptions_decisionreceipt"))
    moment = customer.yesterday.strftime("%Y-%m-%dT%H:%M")
    desk.ask(user=customer.contractor.email, organization="aldgate", created_at_around=moment)
    [receipt] = DecisionReceipt.objects.all()
    assert "not a member" in desk.text
    desk.follow(page_of("subscriptions_decisionreceipt", receipt.pk))


def test_4_the_same_without_a_stored_decision(desk: Desk, customer: Customer) -> None:
    why = dialog_of(WORKSPACE, "why", customer.room.workspace.pk)
    desk.search(customer.room.workspace.slug).follow(customer.workspace).follow(why)
    moment = customer.yesterday.strftime("%Y-%m-%dT%H:%M")
    asked = {"operation": "red:unit", "user": customer.contractor.email, "quantity": "1", "at": moment}
    # The question is the form that is open: sending it is no further page.
    steps = desk.steps
    assert "was not allowed to do unit, 1" in desk.ask(**asked).text
    assert "no row for user Tem Porary" in desk.text
    desk.steps = steps


def test_5_the_grace_period_is_extended(desk: Desk, customer: Customer) -> None:
    desk.follow(customer.page).follow(customer.workspace).follow(customer.dialog("extend_grace"))
    until = clock.now() + timedelta(days=40)
    assert f"ends on {until:%-d %B %Y} now" in desk.confirm(until=until.strftime("%Y-%m-%dT%H:%M"))


def test_6_the_plan_is_changed(desk: Desk, customer: Customer) -> None:
    business: Plan = make_plan("business")
    desk.search(customer.room.workspace.slug).follow(customer.workspace).follow(customer.dialog("change_plan"))
    assert "The plan is Business now." in desk.confirm(plan=str(business.pk))


def test_7_five_hundred_credits_are_given_with_a_reason(desk: Desk, customer: Customer) -> None:
    dialog = dialog_of(ACCOUNT, "grant_credits", customer.room.organization.pk)
    desk.search("Aldgate").follow(customer.page).follow(dialog)
    said = desk.confirm(grant_type="bonus", amount="500", priority="100", note=".")
    assert "500 credits were granted." in said
    assert desk.url == customer.page


def test_8_a_charge_is_reversed_that_is_known_by_its_run(desk: Desk) -> None:
    entry = CreditEntry.objects.get(run_id="run-2")
    desk.search("run-2").follow(page_of("credits_creditentry", entry.pk))
    desk.follow(dialog_of("credits_creditentry", "reverse_entry", entry.pk))
    assert "3 credits were given back." in desk.confirm(amount="3")


def test_9_what_people_did_in_the_last_week(desk: Desk, customer: Customer) -> None:
    since = f"{clock.now() - timedelta(days=7):%Y-%m-%d}"
    desk.follow(list_of("core_auditentry")).ask(organization="Aldgate", people="yes", recorded_at_from=since)
    assert "Subscription activated" in desk.text
    assert "billing_operations@countinghouse.example" in desk.text


def test_10_a_parked_event_is_processed_again(desk: Desk, customer: Customer) -> None:
    event = page_of("payments_webhookevent", customer.event.pk)
    desk.follow(list_of("payments_webhookevent")).follow(event)
    assert "Aldgate" in desk.text
    desk.follow(dialog_of("payments_webhookevent", "process_again", customer.event.pk))
    assert "The event will be processed again." in desk.confirm()
    assert WebhookEvent.objects.get(pk=customer.event.pk).status == WebhookStatus.RECEIVED


def test_11_what_needs_a_person(customer: Customer) -> None:
    text = Desk().text
    for task in ("Grace period ends", "Credits run out soon", "Connector fails"):
        assert task in text
    assert "Aldgate" in text


def test_12_a_token_is_replaced(customer: Customer) -> None:
    make_token(customer.product)
    old, desk = ServiceToken.objects.get(), Desk(Role.PLATFORM_ADMIN)
    desk.follow(list_of("tenants_product")).follow(page_of("tenants_product", customer.product.pk))
    desk.follow(dialog_of("tenants_product", "create_token", customer.product.pk))
    assert desk.steps <= AT_MOST
    said = desk.confirm(name="new", scopes="credits:write")
    assert re.search(r"\bch_\w+|shown once|Copy", said)
    assert ServiceToken.objects.count() == 2
    desk = Desk(Role.PLATFORM_ADMIN)
    desk.follow(list_of("tenants_servicetoken")).follow(page_of("tenants_servicetoken", old.pk))
    desk.follow(dialog_of("tenants_servicetoken", "revoke", old.pk))
    assert desk.steps <= AT_MOST
    assert "is revoked" in desk.confirm()


def test_13_a_failing_connector_is_found_and_tried_again(desk: Desk, customer: Customer) -> None:
    desk.follow(page_of("connectors_connector", customer.connector.pk))
    desk.follow(dialog_of("connectors_connector", "sync", customer.connector.pk))
    before = SyncRun.objects.count()
    desk.confirm(month="auto")
    assert SyncRun.objects.count() > before


def test_14_who_is_about_to_run_out(desk: Desk, customer: Customer) -> None:
    assert "Aldgate" in desk.follow(list_of(ACCOUNT)).ask(runs_out_within="30").text
    desk.follow(page_of(ACCOUNT, customer.room.organization.pk))
    assert CreditAccount.objects.get(pk=customer.room.organization.pk).runway.runs_out_at is not None


def test_15_all_that_are_in_a_grace_period(desk: Desk) -> None:
    assert "Aldgate" in desk.follow(list_of(WORKSPACE)).ask(grace="yes").text


def test_16_a_deed_is_undone_from_its_audit_entry(desk: Desk, customer: Customer) -> None:
    another = Desk()
    another.search(customer.room.workspace.slug).follow(customer.workspace).follow(customer.dialog("suspend"))
    another.confirm()
    assert WorkspaceSubscription.objects.get().state == "suspended"
    desk.follow(list_of("core_auditentry"))
    entry = AuditEntry.objects.get(event="subscription.suspended")
    desk.follow(page_of("core_auditentry", entry.pk)).follow(customer.dialog("resume"))
    desk.confirm()
    assert WorkspaceSubscription.objects.get().state == "active"


def test_17_of_two_at_once_the_second_is_told(desk: Desk, customer: Customer) -> None:
    slug, business = customer.room.workspace.slug, make_plan("business")
    another = Desk()
    for one in (desk, another):
        one.search(slug).follow(customer.workspace).follow(customer.dialog("change_plan"))
    assert "The plan is Business now." in another.confirm(plan=str(business.pk))
    told = desk.confirm(plan=str(make_plan("enterprise").pk))
    assert "The subscription changed" in told
    assert "billing_operations" in told
    assert WorkspaceSubscription.objects.get().plan_id == business.pk
