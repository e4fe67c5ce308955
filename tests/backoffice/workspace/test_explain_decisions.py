""" "Why?" answers what a request of the person would get; a stored decision is opened and asked again."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.workspace.answers import askable_operations, explain
from apps.backoffice.workspace.subject import subject_now
from apps.core import clock
from apps.core.enums import LifecycleNeed, MembershipRole, Role
from apps.core.errors import ForbiddenError
from apps.core.ids import ProductId
from apps.core.observability import current_request_id
from apps.core.operations import OPERATIONS, permits
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_policy_publish_prices
from apps.subscriptions.contracts import Resume, Suspend, WorkspacePlace
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.services import lifecycle_require
from apps.tenants.access import page_context
from apps.tenants.models import Product, User, Workspace
from apps.tenants.services import staff_create
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import url_of
from tests.contexts import console_context, staff_context
from tests.factories.tenants import PASSWORD, make_membership, make_product, make_staff, make_user
from tests.subscriptions.cast import lead_to, make_place, make_plan, staff_change

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> WorkspacePlace:
    made = make_place()
    lead_to(made, SubscriptionState.SUSPENDED, PlanId(make_plan().pk))
    return made


@pytest.fixture
def client() -> Client:
    return client_of(Role.SUPPORT)


def workspace_of(place: WorkspacePlace) -> Workspace:
    return Workspace.objects.select_related("organization").get(pk=place.workspace_id)


@pytest.mark.parametrize("role", MembershipRole)
@pytest.mark.parametrize("state", [SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED, SubscriptionState.PAST_DUE])
def test_every_answer_is_that_of_the_gates_themselves(role: MembershipRole, state: SubscriptionState) -> None:
    place, person = make_place(), make_user()
    lead_to(place, state, PlanId(make_plan().pk))
    workspace = workspace_of(place)
    make_membership(workspace.organization, person, role)
    subject = subject_now(workspace)
    context = page_context(person, workspace_slug=workspace.slug, request_id=current_request_id())
    for operation in askable_operations():
        row = OPERATIONS[operation]
        if row.tenant_role is None:
            continue
        expected = permits(context, operation) and (
            row.lifecycle is LifecycleNeed.NOTHING or subject.decision.permits(row.lifecycle, role=context.role)
        )
        assert explain(person, operation, subject).is_allowed is expected, operation


def test_the_chain_is_shown_with_its_records(client: Client, place: WorkspacePlace) -> None:
    person = make_user("adam@example.com")
    make_membership(workspace_of(place).organization, person, MembershipRole.ADMIN)
    for named in (person.email, person.email.upper(), str(person.pk)):
        asked = {"user": named, "operation": "connector.sync"}
        body = client.get(url_of(place.workspace_id, "why"), asked).content.decode()
        for told in ("may not", "is admin of the organization", "the subscription record is suspended"):
            assert told in body


def test_a_stranger_has_no_access_and_staff_has(place: WorkspacePlace) -> None:
    subject, stranger = subject_now(workspace_of(place)), make_user()
    denied = explain(stranger, "workspaces.read", subject)
    assert not denied.is_allowed
    assert denied.chain[-1].rule == "access"
    staff: User = make_staff(Role.BILLING_OPERATIONS)
    assert explain(staff, "subscriptions.change", subject).is_allowed
    assert not explain(staff, "tokens.manage", subject).is_allowed


def test_who_is_deactivated_may_nothing(place: WorkspacePlace) -> None:
    person = make_user()
    make_membership(workspace_of(place).organization, person, MembershipRole.OWNER)
    User.objects.filter(pk=person.pk).update(is_active=False)
    person.refresh_from_db()
    assert not explain(person, "workspaces.read", subject_now(workspace_of(place))).is_allowed


def test_nobody_of_that_name_is_told(client: Client, place: WorkspacePlace) -> None:
    body = client.get(url_of(place.workspace_id, "why"), {"user": "nobody@example.com"}).content.decode()
    assert "There is nobody with this id or e-mail address." in body


@pytest.fixture
def priced(place: WorkspacePlace) -> Product:
    """A product of the workspace's organization, with prices."""
    product = make_product("red", workspace_of(place).organization)
    prices = [Price("fix_run", "runs", 2_500_000), Price("scan", "files", 1_000_000, free_quantity=5_000_000)]
    credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=prices)
    return product


def test_a_products_operation_is_asked_with_its_quantity(
    client: Client, place: WorkspacePlace, priced: Product
) -> None:
    page = client.get(url_of(place.workspace_id, "why")).content.decode()
    assert '<optgroup label="Red asks for">' in page
    assert '<option value="red:fix_run">fix_run (runs)</option>' in page
    assert not [name for name in askable_operations() if ":" in name]
    asked = {"operation": "red:fix_run", "quantity": "3"}
    body = client.get(url_of(place.workspace_id, "why"), asked).content.decode()
    assert "<b>Red</b> may not do" in body
    assert "the subscription record is suspended" in body
    staff_change(place, Resume())
    body = client.get(url_of(place.workspace_id, "why"), asked).content.decode()
    assert "7.5 is due and 0 is available" in body
    assert "Price: 7.5 credits." in body
    person = make_user("adam@example.com", name="Adam West")
    body = client.get(url_of(place.workspace_id, "why"), {**asked, "user": person.email}).content.decode()
    assert "<b>adam@example.com, through Red,</b> may not do" in body
    # The fact names the person, not an id.
    assert "no row for user Adam West (adam@example.com)" in body


@pytest.mark.parametrize(
    ("quantity", "told"),
    [("0", "Quantity: The quantity must be more than 0."), ("three", "Quantity: "), ("1" * 40, "Quantity: ")],
)
def test_an_impossible_quantity_is_told(
    client: Client, place: WorkspacePlace, priced: Product, quantity: str, told: str
) -> None:
    answer = client.get(url_of(place.workspace_id, "why"), {"operation": "red:fix_run", "quantity": quantity})
    assert told in answer.content.decode()
    assert answer.context["answered"] is None


def test_why_as_of_a_moment_is_the_answer_of_then(client: Client, place: WorkspacePlace, priced: Product) -> None:
    person, helper = make_user("adam@example.com"), make_staff(Role.SUPPORT)
    organization = workspace_of(place).organization
    make_membership(organization, person, MembershipRole.ADMIN)
    then = clock.now()
    staff_change(place, Resume())
    make_membership(organization, person, MembershipRole.VIEWER)
    staff_create(
        console_context(), email=helper.email, name="", role=Role.BILLING_OPERATIONS, password=PASSWORD, reason="x"
    )
    url, at = url_of(place.workspace_id, "why"), {"at": then.isoformat()}
    sync = {"user": person.email, "operation": "connector.sync"}
    for asked, was, told in (
        (sync, "was not allowed to", "is admin of the organization"),
        (
            {"user": person.email, "operation": "red:fix_run"},
            "was not allowed to",
            "the subscription record is suspended",
        ),
        ({"user": helper.email, "operation": "subscriptions.change"}, "was not allowed to", "platform role support"),
    ):
        body = client.get(url, {**asked, **at}).content.decode()
        assert was in body
        assert told in body
        assert f"As of {then:%-d %B %Y, %H:%M}" in body
    assert "is viewer of the organization" in client.get(url, sync).content.decode()
    now = {"user": helper.email, "operation": "subscriptions.change"}
    assert "</b> may do" in client.get(url, now).content.decode()


def receipt_of(place: WorkspacePlace) -> DecisionReceipt:
    with pytest.raises(ForbiddenError):
        lifecycle_require(staff_context(), workspace_id=place.workspace_id, operation="connector.sync")
    return DecisionReceipt.objects.get()


def test_a_decision_is_opened_by_its_id_and_asked_again(client: Client, place: WorkspacePlace) -> None:
    receipt = receipt_of(place)
    answer = client.get(url_of(place.workspace_id, "why"), {"decision": str(receipt.pk)})
    page = reverse("admin:subscriptions_decisionreceipt_change", args=(receipt.pk,))
    assert answer.headers["Location"] == page
    assert "Nothing has changed." in client.get(page).content.decode()
    staff_change(place, Resume())
    body = client.get(page).content.decode()
    assert "The answer today: Allow (ok)" in body
    assert "The answer was deny (lifecycle_denied) and is allow (ok)" in body
    staff_change(place, Suspend())
    body = client.get(page).content.decode()
    assert "The answer today: Deny (lifecycle_denied)" in body
    assert "The answer was" not in body
    assert DecisionReceipt.objects.count() == 1


@pytest.mark.parametrize("asked", ["x", "00000000-0000-4000-8000-000000000000"])
def test_a_decision_that_is_none_is_told(client: Client, place: WorkspacePlace, asked: str) -> None:
    answer = client.get(url_of(place.workspace_id, "why"), {"decision": asked})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
