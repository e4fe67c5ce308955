"""The organization's page answers the first question: how does this customer stand, and what happened."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.records.decisions import names_in, sentence_of
from apps.backoffice.records.provider_links import provider_url
from apps.core import clock
from apps.core.enums import Role
from apps.core.ids import WorkspaceId
from apps.subscriptions.enums import PaymentStatus, SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig
from apps.subscriptions.services import note_add
from apps.tenants.models import Organization, User, Workspace
from tests.backoffice.people import client_of
from tests.backoffice.records import make_outbox_item
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_user, make_workspace
from tests.subscriptions.cast import lead_to, make_place, make_plan

pytestmark = pytest.mark.django_db


class Customer:
    """One in trouble: in its grace period, with a denial, a note and a mail."""

    def __init__(self) -> None:
        place = make_place()
        lead_to(place, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
        self.organization = Organization.objects.get(pk=place.organization_id)
        self.workspace = Workspace.objects.get(pk=place.workspace_id)
        self.person: User = make_user("temp0@contractor.example", name="Temp Zero")
        config = OrganizationPaymentConfig.objects.filter(organization=self.organization)
        config.update(payment_status=PaymentStatus.OKAY, payment_provider_id=f"cus_{uuid.uuid4().hex[:8]}")
        config.update(payment_status=PaymentStatus.GRACE_PERIOD, grace_period_end_at=clock.now() + timedelta(days=5))
        self.config = config.get()
        note_add(console_context(), workspace_id=WorkspaceId(self.workspace.pk), text="Pays by wire.")
        make_outbox_item(self.organization)
        self.receipt = self._deny()

    def _deny(self) -> DecisionReceipt:
        made: DecisionReceipt = DecisionReceipt.objects.create(
            kind="credits",
            decision="deny",
            code="not_a_member",
            organization_id=self.organization.pk,
            workspace_id=self.workspace.pk,
            actor_label="red",
            question={
                "operation": "fix_run",
                "quantity": 3_000_000,
                "user_id": str(self.person.pk),
                "account_type": "organization",
                "account_id": str(self.organization.pk),
                "product_id": None,
                "workspace_id": str(self.workspace.pk),
                "outcome": None,
            },
            chain=[
                {
                    "rule": "membership",
                    "outcome": "deny",
                    "fact": f"user {self.person.pk} is not a member of the organization",
                    "record": None,
                }
            ],
            records=[],
            request_id="req-of-denial",
            created_at=clock.now() - timedelta(hours=30),
        )
        return made


@pytest.fixture(scope="module")
def customer(lasting_db: None) -> Customer:
    return Customer()


def page(client: Client, record: Organization | Workspace | User | DecisionReceipt, query: str = "") -> str:
    name = f"{record._meta.app_label}_{record._meta.model_name}"
    answer = client.get(reverse(f"admin:{name}_change", args=(record.pk,)) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_of_an_organization_says_how_it_stands(customer: Customer) -> None:
    body = page(client_of(Role.SUPPORT), customer.organization)
    for told in (
        "Grace period",
        "5 days left",
        "Credits run out in",
        customer.workspace.slug,
        "by Staff",
        f"https://dashboard.stripe.com/customers/{customer.config.payment_provider_id}",
        "Temp Zero (temp0@contractor.example)",
        "Pays by wire.",
        "Note on",
        "Hello",
    ):
        assert told in body, told


@pytest.mark.parametrize(
    ("kind", "told", "left_out"),
    [("notes", "Note on", "Denied:"), ("denials", "Denied:", "Note on"), ("mails", "Hello", "Denied:")],
)
def test_the_timeline_can_show_one_kind(customer: Customer, kind: str, told: str, left_out: str) -> None:
    body = page(client_of(Role.SUPPORT), customer.organization, f"?show={kind}").split('id="timeline"')[1]
    assert told in body
    assert left_out not in body


def test_a_decision_is_one_sentence_with_names(customer: Customer) -> None:
    sentence = sentence_of(customer.receipt, names_in([customer.receipt]))
    assert sentence == (
        f"Temp Zero (temp0@contractor.example) may not do fix_run (3) in {customer.workspace.name}, "
        f"{customer.organization.name}: user Temp Zero (temp0@contractor.example) is not a member of the organization."
    )
    assert "Temp Zero (temp0@contractor.example) may not do fix_run" in page(client_of(Role.SUPPORT), customer.receipt)


def test_denials_stand_on_the_pages_of_workspace_and_person(customer: Customer) -> None:
    client = client_of(Role.SUPPORT)
    for record in (customer.workspace, customer.person):
        assert str(customer.receipt.pk) in page(client, record)
    assert str(customer.receipt.pk) not in page(client, make_workspace(make_organization()))


def test_decisions_are_found_by_customer_person_and_hour(customer: Customer) -> None:
    client = client_of(Role.SUPPORT)
    at, key = customer.receipt.created_at, str(customer.receipt.pk)

    def listed(**filters: str) -> str:
        return client.get(reverse("admin:subscriptions_decisionreceipt_changelist"), filters).content.decode()

    around = (at + timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M")
    body = listed(user="temp0@contractor.example", created_at_around=around, organization=customer.organization.name)
    assert key in body
    assert customer.organization.name in body
    assert key not in listed(created_at_around=(at + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"))
    assert key not in listed(user=make_user().email)
    assert "There is nobody with" in listed(user="nobody@nowhere.example")


@pytest.mark.parametrize(
    ("provider", "kind", "url"),
    [
        ("stripe", "customer", "https://dashboard.stripe.com/customers/cus_a%2F..%2Fb"),
        ("orb", "subscription", "https://app.withorb.com/subscriptions/cus_a%2F..%2Fb"),
        ("orb", "dispute", ""),
    ],
)
def test_links_lead_to_the_providers_own_page(provider: str, kind: str, url: str) -> None:
    assert provider_url(provider, kind, "cus_a/../b") == url
