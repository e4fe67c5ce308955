"""What staff read in lists and sections says what it is about: names, units, words of the page, and what to do."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.form_fields import typed_amount
from apps.core import clock
from apps.core.amounts import MalformedNumberError
from apps.core.enums import MembershipRole, Role
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import OutboxItem
from apps.core.states import OutboxStatus
from apps.credits.models import CreditEntry
from apps.credits.services import credits_consume
from apps.payments.enums import WebhookStatus
from apps.subscriptions.contracts import WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Workspace
from tests.backoffice.credits.test_change_credits import step
from tests.backoffice.people import client_of
from tests.backoffice.records import make_event, make_outbox_item
from tests.credits.cast import Place, consumption, make_place
from tests.factories.tenants import make_membership, make_organization, make_user, make_workspace
from tests.subscriptions.cast import lead_to, make_plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Place:
    """Two runs: one told at once, one told three hours later."""
    made, person = make_place(whole_credits=100), make_user("jo@kestrel.example", name="Jo Kestrel")
    make_membership(made.organization, person, MembershipRole.MEMBER)
    for number, earlier in enumerate((timedelta(0), timedelta(hours=3)), start=1):
        values: dict[str, Any] = {
            "run_id": f"run-800{number}",
            "occurred_at": clock.now() - earlier,
            "user_id": person.pk,
        }
        credits_consume(made.context, consumption=consumption(made, **values))
    return made


@pytest.fixture
def workspace(place: Place) -> Workspace:
    return make_workspace(place.organization)


@pytest.fixture
def client() -> Client:
    return client_of(Role.BILLING_OPERATIONS)


def page_of(client: Client, workspace: Workspace) -> str:
    return client.get(reverse("admin:tenants_workspace_change", args=(workspace.pk,))).content.decode()


def test_an_entry_says_who_used_what_in_which_run_and_when(client: Client, place: Place, workspace: Workspace) -> None:
    listed = client.get(reverse("admin:credits_creditentry_changelist"), {"organization": str(place.organization.pk)})
    entry = CreditEntry.objects.get(run_id="run-8002")
    for body in (page_of(client, workspace), listed.content.decode()):
        assert "fix_run, 1 \N{MULTIPLICATION SIGN} run<" in body
        assert "Red, Jo Kestrel, run-8002, succeeded" in body
        assert f'datetime="{entry.occurred_at.isoformat()}"' in body
        assert body.count(">booked ") == 1
    page = client.get(reverse("admin:credits_creditentry_change", args=(entry.pk,))).content.decode()
    assert "jo@kestrel.example" in page
    assert reverse("admin:credits_creditentry_changelist") in page_of(client, workspace)


def test_a_reversal_leads_back_to_where_its_entry_was_opened(
    client: Client, place: Place, workspace: Workspace
) -> None:
    entry = CreditEntry.objects.get(run_id="run-8001")
    url = reverse("admin:credits_creditentry_change", args=(entry.pk,))
    [opened] = re.findall(f'href="({url}[^"]*)"', page_of(client, workspace))
    page = client.get(html.unescape(opened)).content.decode()
    dialog = reverse("admin:credits_creditentry_reverse_entry", args=(entry.pk,))
    [address] = set(re.findall(f'"({dialog}[^"]*)"', page))
    form = client.get(html.unescape(address)).content.decode()
    [key] = re.findall(r'name="key" value="([^"]+)"', form)
    led, _ = step(client, html.unescape(address), "apply", {"key": key, "amount": "2.5"})
    assert led == reverse("admin:tenants_workspace_change", args=(workspace.pk,))
    assert "2.5 credits were given back." in page_of(client, workspace)


def test_the_two_statuses_say_which_of_them_counts(client: Client, place: Place, workspace: Workspace) -> None:
    assert "Used here, as this workspace has no subscription of its own." in page_of(client, workspace)
    home = WorkspacePlace(WorkspaceId(workspace.pk), OrganizationId(place.organization.pk))
    lead_to(home, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
    assert "Not used here: this workspace has its own subscription." in page_of(client, workspace)


def test_a_workspace_is_headed_by_its_customer_and_says_who_changes_it(place: Place, workspace: Workspace) -> None:
    told = "Changes to subscriptions, payments and credits are made by colleagues"
    support = page_of(client_of(Role.SUPPORT), workspace)
    assert "<h1>Northwind · Production</h1>" in support
    assert told in support
    assert told not in page_of(client_of(Role.BILLING_OPERATIONS), workspace)


def test_a_parked_event_names_its_customer_by_the_words_of_the_page(client: Client) -> None:
    organization = make_organization(name="Kestrel Labs")
    OrganizationPaymentConfig.objects.filter(organization=organization).update(payment_provider_id="cus_kestrel")
    workspace = make_workspace(organization, name="Hangar")
    error = f"Workspace {workspace.pk} of organization {organization.pk} follows another one."
    event = make_event(WebhookStatus.FAILED, customer_external_id="cus_kestrel", organization_id=None, error=error)
    url = reverse("admin:payments_webhookevent_changelist")
    page = reverse("admin:payments_webhookevent_change", args=(event.pk,))
    for body in (client.get(url, {"status": "failed"}).content.decode(), client.get(page).content.decode()):
        assert reverse("admin:tenants_organization_change", args=(organization.pk,)) in body
        assert "by its customer" in body
        assert "Workspace Hangar of organization Kestrel Labs follows" in body
    assert '<option value="failed" selected>Parked</option>' in client.get(url, {"status": "failed"}).content.decode()


def test_what_keeps_calls_waiting_is_said_once(client: Client) -> None:
    for _ in range(3):
        item = make_outbox_item(make_organization())
    waiting = OutboxItem.objects.filter(kind="stripe.create_customer", status=OutboxStatus.PENDING)
    assert waiting.count() == 3
    body = client.get(reverse("admin:core_outboxitem_changelist")).content.decode()
    assert body.count(f"Calls of the kind {waiting[0].kind} wait: STRIPE_SECRET_KEY is not set.") == 1
    assert body.count("STRIPE_SECRET_KEY") == 1
    assert body.count("Not set up") >= 3
    assert item.key not in body


@pytest.mark.parametrize(
    ("text", "micro"),
    [("1,000", 1_000_000_000), ("12,500.5", 12_500_500_000), (" 7 ", 7_000_000), ("0.000001", 1), ("1000", 10**9)],
)
def test_amounts_are_read_as_the_pages_write_them(text: str, micro: int) -> None:
    assert typed_amount(text) == micro


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("500,5", "Did you mean 500.5?"),
        ("1.000,50", "Did you mean 1000.50?"),
        ("1,00", "Did you mean 1.00?"),
        ("1,0000", "Did you mean 1.0000?"),
        ("ten", "such as 1000 or 12.5"),
        ("1e3", "such as 1000 or 12.5"),
        ("٣", "such as 1000 or 12.5"),
        ("1,000,00", "such as 1000 or 12.5"),
    ],
)
def test_what_is_no_amount_is_refused_with_what_was_meant(text: str, hint: str) -> None:
    with pytest.raises(MalformedNumberError, match=re.escape(hint)):
        typed_amount(text)
