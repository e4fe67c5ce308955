"""The Invoices page: what is open, how long grace lasts, links that are safe, and doors to Stripe that are honest."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.payments.enums import InvoiceStatus
from apps.payments.models import BillingEvent
from apps.payments.services.checkout import DEMO, NO_CUSTOMER, NOT_CONFIGURED
from apps.payments.views import payment_pages
from apps.subscriptions.contracts import StartGrace
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import Workspace
from apps.tenants.services import organization_close
from tests.backoffice.records import make_invoice
from tests.contexts import console_context
from tests.counterparts.stripe_fake import StripeFake, running
from tests.factories.tenants import make_membership, make_organization, make_signing_in_user, make_workspace
from tests.markup import Page
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 3, 12, tzinfo=UTC)


class Room:
    """A workspace and a browser for each role in it."""

    def __init__(self, *, is_demo: bool = False) -> None:
        self.organization = make_organization("Northwind", time_zone="Europe/Berlin", is_demo=is_demo)
        self.workspace: Workspace = make_workspace(self.organization)
        self.path = f"/billing/{self.workspace.slug}/invoices/"
        self.clients: dict[str, Client] = {}
        for role in MembershipRole:
            person = make_signing_in_user()
            make_membership(self.organization, person, role)
            self.clients[role.value] = Client()
            self.clients[role.value].force_login(person, backend="django.contrib.auth.backends.ModelBackend")

    def see(self, role: str = "viewer") -> str:
        answer = self.clients[role].get(self.path)
        assert answer.status_code == 200
        text = answer.content.decode()
        assert Page(text).inline == []
        return text

    def has_customer(self) -> None:
        OrganizationPaymentConfig.objects.filter(organization=self.organization).update(payment_provider_id="cus_1")


@pytest.fixture
def room() -> Iterator[Room]:
    with time_machine.travel(NOW, tick=False):
        yield Room()


@pytest.fixture
def stripe(settings: Settings) -> Iterator[StripeFake]:
    with running(StripeFake()) as fake:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_fake", fake.base
        yield fake


def test_without_a_key_the_page_says_so_and_offers_nothing(room: Room, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    text = room.see("owner")
    assert NOT_CONFIGURED in text
    assert "No invoice yet." in text
    for door in ("checkout/", "portal/"):
        assert f"{room.path}{door}" not in text
        answer = room.clients["owner"].post(f"{room.path}{door}", follow=True)
        assert NOT_CONFIGURED in answer.content.decode()
    assert BillingEvent.objects.count() == 0


def test_invoices_show_status_amounts_and_only_safe_links(room: Room) -> None:
    make_invoice(
        room.organization,
        number="NW-1",
        hosted_invoice_url="https://invoice.stripe.com/i/1",
        invoice_pdf="javascript:alert(1)",
        failed_at=NOW,
        due_at=NOW + timedelta(days=3),
    )
    make_invoice(room.organization, number="NW-2", status=InvoiceStatus.PAID, amount_remaining_minor=0)
    make_invoice(room.organization, number="NW-3", status=InvoiceStatus.DRAFT)
    make_invoice(make_organization("Other"), number="XX-9")
    text = room.see()
    assert "https://invoice.stripe.com/i/1" in text
    assert "javascript:" not in text
    assert "Payment failed" in text
    assert "in 3 days" in text
    assert "49.00 EUR" in text
    assert "NW-3" not in text
    assert "XX-9" not in text


@pytest.mark.parametrize("status", [InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE])
def test_an_invoice_that_is_not_open_asks_for_no_money(room: Room, status: InvoiceStatus) -> None:
    """Stripe leaves `amount_remaining` as it was."""
    make_invoice(
        room.organization,
        number="NW-1",
        status=status,
        hosted_invoice_url="https://invoice.stripe.com/i/1",
        due_at=NOW + timedelta(days=12),
    )
    text = room.see("owner")
    assert "https://invoice.stripe.com/i/1" in text
    assert "in 12 days" not in text
    assert "Pay or view" not in text


def test_the_grace_period_is_told_with_its_days(room: Room) -> None:
    payment_config_change(
        console_context(), organization_id=OrganizationId(room.organization.pk), change=StartGrace(NOW)
    )
    assert "14 days left to pay" in room.see()


def test_only_owners_are_offered_the_doors(room: Room, stripe: StripeFake) -> None:
    room.has_customer()
    for role in ("viewer", "member", "admin"):
        assert f"{room.path}portal/" not in room.see(role)
        assert room.clients[role].post(f"{room.path}checkout/").status_code == 403
    assert f"{room.path}portal/" in room.see("owner")
    assert stripe.requests == []
    assert BillingEvent.objects.count() == 0


def test_a_repeated_attempt_is_one_session(room: Room, stripe: StripeFake) -> None:
    room.has_customer()
    make_plan()
    stripe.make("price", lookup_key="team")
    attempt = str(uuid.uuid4())
    for _ in range(2):
        answer = room.clients["owner"].post(f"{room.path}checkout/", {"attempt": attempt, "plan": "team"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "https://checkout.stripe.com/c/pay/session")
    [session] = stripe.of_kind("checkout.session")
    assert session["client_reference_id"] == str(room.organization.pk)
    assert session["subscription_data"]["metadata"]["workspace_id"] == str(room.workspace.pk)
    [event] = BillingEvent.objects.filter(organization=room.organization)
    assert {key for method, _, key in stripe.requests if method == "POST"} == {event.key}
    assert AuditEntry.objects.filter(event="checkout.started").count() == 1


def test_the_portal_opens_for_the_customer(room: Room, stripe: StripeFake) -> None:
    room.has_customer()
    answer = room.clients["owner"].post(f"{room.path}portal/", {"attempt": "nonsense"})
    assert answer.headers["Location"] == "https://billing.stripe.com/p/session"
    assert [one["customer"] for one in stripe.of_kind("billing_portal.session")] == ["cus_1"]


def test_an_earlier_open_checkout_of_the_workspace_is_expired(room: Room, stripe: StripeFake) -> None:
    room.has_customer()
    make_plan()
    stripe.make("price", lookup_key="team")
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    for attempt in (first, second, second):
        answer = room.clients["owner"].post(f"{room.path}checkout/", {"attempt": attempt, "plan": "team"})
        assert answer.status_code == 303
    status_of = {one["metadata"]["attempt"]: one["status"] for one in stripe.of_kind("checkout.session")}
    assert status_of == {first: "expired", second: "open"}


@pytest.mark.parametrize("door", ["checkout/", "portal/"])
@pytest.mark.parametrize("form", [{}, {"attempt": "nonsense"}])
def test_a_call_carries_a_key_that_was_stored_whatever_the_form(
    room: Room, stripe: StripeFake, door: str, form: dict[str, str]
) -> None:
    room.has_customer()
    assert room.clients["owner"].post(f"{room.path}{door}", form).status_code == 303
    [key] = [key for method, _, key in stripe.requests if method == "POST"]
    entries = AuditEntry.objects.filter(event__in=["checkout.started", "customer_portal.opened"])
    stored = entries.values_list("after", flat=True)
    assert [one["call"] for one in stored] == [key]


@pytest.mark.parametrize("fault", ["500", "drop"])
def test_a_stripe_that_fails_is_told_in_a_sentence(room: Room, stripe: StripeFake, fault: str) -> None:
    room.has_customer()
    stripe.faults = [fault]
    answer = room.clients["owner"].post(f"{room.path}checkout/", follow=True)
    assert "nothing was charged" in answer.content.decode().lower()


def test_without_a_customer_and_in_a_demo_nothing_is_opened(room: Room, stripe: StripeFake) -> None:
    assert NO_CUSTOMER in room.see("owner")
    demo = Room(is_demo=True)
    demo.has_customer()
    assert DEMO in demo.see("owner")
    demo.clients["owner"].post(f"{demo.path}checkout/")
    assert stripe.requests == []


@pytest.mark.parametrize(
    ("has_customer", "plan", "said"),
    [
        (True, "no-such-plan", "This plan is not available. Choose another one."),
        (False, "team", NO_CUSTOMER),
    ],
)
def test_what_can_not_be_bought_is_said_and_stripe_is_not_asked(
    room: Room, stripe: StripeFake, has_customer: bool, plan: str, said: str
) -> None:
    make_plan()
    if has_customer:
        room.has_customer()
    answer = room.clients["owner"].post(f"{room.path}checkout/", {"plan": plan}, follow=True)
    assert said in answer.content.decode()
    assert stripe.requests == []
    assert BillingEvent.objects.count() == 0
    assert not AuditEntry.objects.filter(event="checkout.started").exists()


def test_a_closed_organization_pays_what_it_owes_and_buys_nothing(room: Room, stripe: StripeFake) -> None:
    room.has_customer()
    make_plan()
    organization_close(console_context(), organization_id=OrganizationId(room.organization.pk), reason="They left.")
    text = room.see("owner")
    assert f"{room.path}portal/" in text
    assert 'name="plan"' not in text
    answer = room.clients["owner"].post(f"{room.path}checkout/", {"plan": "team"}, follow=True)
    assert "the organization was closed on 3 April 2026" in answer.content.decode()
    assert stripe.requests == []
    assert not AuditEntry.objects.filter(event="checkout.started").exists()
    assert room.clients["owner"].post(f"{room.path}portal/").status_code == 303


def test_the_policy_lets_forms_lead_to_stripe_alone(room: Room) -> None:
    policy = room.clients["owner"].get(room.path).headers["Content-Security-Policy"]
    assert "form-action 'self' https://checkout.stripe.com https://billing.stripe.com" in policy


def test_a_domain_of_ours_for_stripes_pages_may_be_led_to(settings: Settings) -> None:
    settings.STRIPE_CHECKOUT_HOSTS = ["pay.example.com"]
    assert payment_pages()[-1] == "https://pay.example.com"
