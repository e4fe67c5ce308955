"""Where invoices go: the organization's own address, else an owner's, and nobody else's (spec 04, Outbox)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import responses
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.enums import MembershipRole, Role, Scope
from apps.core.errors import ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.outbox.backoff import MAX_ATTEMPTS
from apps.core.states import OutboxStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Organization
from apps.tenants.services import billing_email_change
from tests.contexts import console_context, staff_context
from tests.counterparts.stripe_fake import StripeFake, running
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_signing_in_user,
    make_token,
    make_user,
    make_workspace,
)
from tests.markup import Page

pytestmark = pytest.mark.django_db(transaction=True)
BILLS = "bills@northwind.example"


@pytest.fixture
def fake(settings: Settings) -> Iterator[StripeFake]:
    settings.ORB_API_KEY = ""
    with running(StripeFake()) as fake:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_fake", fake.base
        yield fake


def drain(*, later: bool = True) -> None:
    if later:
        OutboxItem.objects.filter(status=OutboxStatus.PENDING).update(next_attempt_at=clock.real_now())
    outbox_drain(console_context())


def addresses(fake: StripeFake) -> list[str]:
    return [customer["email"] for customer in fake.of_kind("customer")]


def change(organization: Organization, address: str, role: Role = Role.OWNER) -> None:
    organization_id = OrganizationId(organization.pk)
    billing_email_change(staff_context(role, organization_id), organization_id=organization_id, billing_email=address)


def item_of(organization: Organization) -> OutboxItem:
    return OutboxItem.objects.get(kind="stripe.create_customer", organization_id=organization.pk)


def test_the_organizations_own_address_comes_before_its_owners(fake: StripeFake) -> None:
    owner = make_user("olivia@northwind.example")
    make_organization("Northwind", owner=owner, billing_email=BILLS)
    make_organization("Southwind", owner=owner)
    drain()
    assert sorted(addresses(fake)) == [BILLS, "olivia@northwind.example"]


def test_without_an_address_the_row_waits_for_as_long_as_it_takes_and_says_why(fake: StripeFake) -> None:
    organization = make_organization()
    make_membership(organization, make_user("admin@northwind.example"), MembershipRole.ADMIN)
    for _ in range(MAX_ATTEMPTS + 3):
        drain()
    item = item_of(organization)
    assert (item.status, item.attempts) == (OutboxStatus.PENDING, 0)
    assert item.last_error.startswith("No billing e-mail: ")
    assert timedelta(minutes=55) < item.next_attempt_at - clock.real_now() < timedelta(minutes=65)
    assert not any(method == "POST" for method, _, _ in fake.requests)


@pytest.mark.parametrize("comes_by", ["the owner", "a promotion", "the address"])
def test_what_it_waits_for_makes_it_due_at_once(fake: StripeFake, comes_by: str) -> None:
    organization, olivia = make_organization(), make_user("olivia@northwind.example")
    drain()
    drain(later=False)
    assert addresses(fake) == []
    if comes_by == "the address":
        change(organization, BILLS)
    else:
        roles = [MembershipRole.MEMBER, MembershipRole.OWNER] if comes_by == "a promotion" else [MembershipRole.OWNER]
        for role in roles:
            make_membership(organization, olivia, role)
    drain(later=False)
    assert addresses(fake) == [BILLS if comes_by == "the address" else "olivia@northwind.example"]
    assert item_of(organization).status == OutboxStatus.DONE


def test_a_change_is_sent_on_to_the_customer_that_there_is(fake: StripeFake) -> None:
    organization = make_organization(owner=make_user("olivia@northwind.example"), billing_email=BILLS)
    drain()
    for address, expected in (
        ("Accounts@Northwind.example", "accounts@northwind.example"),
        ("", "olivia@northwind.example"),
        (BILLS, BILLS),
    ):
        change(organization, address)
        drain()
        assert addresses(fake) == [expected]
    updates = OutboxItem.objects.filter(kind="stripe.update_customer")
    assert {item.status for item in updates} == {OutboxStatus.DONE}
    assert updates.count() == 3
    change(organization, BILLS)
    assert updates.count() == 3, "no change, no call"


def test_a_change_that_meets_a_customer_in_the_making_is_not_lost(fake: StripeFake) -> None:
    organization = make_organization(billing_email=BILLS)
    # Its worker has read the former address, and its answer is on the way.
    OutboxItem.objects.filter(pk=item_of(organization).pk).update(
        status=OutboxStatus.IN_PROGRESS, attempts=1, lease_expires_at=clock.real_now() + timedelta(minutes=3)
    )
    change(organization, "new@northwind.example")
    drain()
    waits = OutboxItem.objects.get(kind="stripe.update_customer")
    assert (waits.status, waits.last_error) == (OutboxStatus.PENDING, "The customer is still being made.")
    made = fake.make("customer", email=BILLS, metadata={"organization_id": str(organization.pk)})
    OrganizationPaymentConfig.objects.filter(organization=organization).update(payment_provider_id=made["id"])
    drain()
    assert addresses(fake) == ["new@northwind.example"]


@responses.activate
def test_orb_is_told_too(settings: Settings) -> None:
    settings.ORB_API_KEY, settings.ORB_API_BASE, settings.STRIPE_SECRET_KEY = "orb_key", "https://orb.example/v1", ""
    organization = make_organization(billing_email=BILLS)
    responses.post("https://orb.example/v1/customers", json={"id": "orb_1"}, status=201)
    drain()
    responses.put("https://orb.example/v1/customers/orb_1", json={"id": "orb_1"})
    change(organization, "new@northwind.example")
    drain()
    sent = [json.loads(call.request.body or b"{}") for call in responses.calls]
    assert [body["email"] for body in sent] == [BILLS, "new@northwind.example"]


# --- Who may ----------------------------------------------------------------------------------------------------------
def refused(act: Callable[[], object], error: type[Exception]) -> None:
    def state() -> list[object]:
        return [list(model.objects.order_by("pk").values()) for model in (Organization, OutboxItem, AuditEntry)]

    before = state()
    with pytest.raises(error):
        act()
    assert state() == before


def test_owners_alone_change_it_and_only_to_an_address() -> None:
    organization, other = make_organization(billing_email=BILLS), make_organization()
    for role in (Role.ADMIN, Role.MEMBER, Role.VIEWER, Role.SUPPORT, Role.SERVICE):
        refused(lambda role=role: change(organization, "x@northwind.example", role), ForbiddenError)  # type: ignore[misc]
    for address in ("bills", "a@b", "@northwind.example", "bills@northwind.example, other@northwind.example"):
        refused(lambda address=address: change(organization, address), UnprocessableError)  # type: ignore[misc]
    foreign = staff_context(Role.OWNER, OrganizationId(other.pk))
    refused(
        lambda: billing_email_change(
            foreign, organization_id=OrganizationId(organization.pk), billing_email="x@example.com"
        ),
        NotFoundError,
    )


def test_an_owner_sets_it_on_the_settings_page() -> None:
    organization = make_organization()
    workspace = make_workspace(organization)
    page = reverse("billing-settings", args=[workspace.slug])
    url = reverse("billing-settings-email", args=[workspace.slug])
    clients = {}
    for role in (MembershipRole.OWNER, MembershipRole.ADMIN):
        user = make_signing_in_user(f"{role.value}@northwind.example")
        make_membership(organization, user, role)
        clients[role] = Client()
        clients[role].force_login(user)
    owner, admin = clients[MembershipRole.OWNER], clients[MembershipRole.ADMIN]
    assert 'name="billing_email"' in owner.get(page).content.decode()
    assert 'name="billing_email"' not in admin.get(page).content.decode()
    assert admin.post(url, {"billing_email": BILLS}).status_code == 403
    wrong = owner.post(url, {"billing_email": "bills at northwind"})
    assert wrong.status_code == 422
    assert 'value="bills at northwind"' in wrong.content.decode()
    assert "must be one e-mail address" in Page(wrong.content.decode()).text
    saved = owner.post(url, {"billing_email": " Bills@Northwind.example "}, follow=True)
    assert f"Saved. Invoices and receipts go to {BILLS}." in Page(saved.content.decode()).text
    assert BILLS in Page(admin.get(page).content.decode()).text
    organization.refresh_from_db()
    assert organization.billing_email == BILLS


def test_the_identity_service_and_products_set_it_when_they_report_the_organization() -> None:
    product = make_product("red")
    headers = {"authorization": f"Bearer {make_token(product, Scope.TENANTS_WRITE)}"}
    body = {"id": "0f0a5f3e-1111-4222-8333-444455556666", "name": "Northwind", "kind": "team"}

    def send(**more: object) -> tuple[int, object]:
        answer = Client().post(
            "/api/v1/internal/organizations:upsert", {**body, **more}, "application/json", headers=headers
        )
        return answer.status_code, answer.json().get("billing_email", answer.json().get("errors"))

    assert send() == (201, None)
    assert send(billing_email="Bills@Northwind.example") == (200, BILLS)
    assert send() == (200, BILLS), "left out, it stays"
    status, errors = send(billing_email="bills")
    assert (status, errors[0]["field"]) == (400, "billing_email")  # type: ignore[index]
    assert send() == (200, BILLS)
