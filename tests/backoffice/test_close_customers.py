"""Staff close and reopen a customer on its page: a preview that changes nothing, a token that binds, two at once."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from apps.connectors.models import Connector, SyncRun
from apps.connectors.sync.requests import sync_request
from apps.core import clock
from apps.core.enums import MembershipRole, Role
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.payments.models import ProviderSubscription
from apps.tenants.models import Organization, Workspace
from apps.tenants.services import organization_close
from tests.backoffice.people import client_of
from tests.backoffice.records import make_invoice
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_membership, make_organization, make_user

pytestmark = pytest.mark.django_db
WHY = "ticket 4711"
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


@pytest.fixture
def workspace() -> Workspace:
    """A customer with an owner, two members, a connector and syncs that wait."""
    made = make_active_workspace()
    for role in (MembershipRole.OWNER, MembershipRole.ADMIN, MembershipRole.VIEWER):
        make_membership(made.organization, make_user(), role)
    sync_request(console_context(), connector_id=id_of(make_connector(made)))
    return made


@pytest.fixture
def client() -> Client:
    return client_of(Role.BILLING_OPERATIONS)


def post(client: Client, organization: Organization, verb: str, **fields: str) -> tuple[str, str]:
    """One step of the dialog: where it leads, and its text."""
    url = reverse(f"admin:tenants_organization_{verb}", args=(organization.pk,))
    answer = client.post(url, {"reason": WHY, **fields}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.headers.get("HX-Redirect", ""), html.unescape(answer.content.decode())


def previewed(client: Client, organization: Organization, verb: str, **fields: str) -> tuple[str, str]:
    """The token and the text of a preview; no token where it was refused."""
    _, text = post(client, organization, verb, step="preview", **fields)
    found = _TOKEN.search(text)
    return found.group(1) if found else "", text


def apply(client: Client, organization: Organization, verb: str, token: str, **fields: str) -> tuple[str, str]:
    return post(client, organization, verb, step="apply", token=token, **fields)


def everything() -> list[object]:
    models = (Organization, Connector, SyncRun)
    return [AuditEntry.objects.count(), *(list(model.objects.order_by("pk").values()) for model in models)]


def offered(client: Client, organization: Organization) -> set[str]:
    page = client.get(reverse("admin:tenants_organization_change", args=(organization.pk,))).content.decode()
    return {verb for verb in ("close", "reopen") if f"/{organization.pk}/{verb}/" in page}


def test_the_preview_tells_what_follows_and_changes_nothing(client: Client, workspace: Workspace) -> None:
    before = everything()
    waiting = SyncRun.objects.count()
    token, text = previewed(client, workspace.organization, "close")
    assert token
    for told in (
        "1 owner can still read and export everything.",
        "2 other members can open the invoices and Help, and nothing else.",
        f"1 connector switched off, {waiting} syncs cancelled.",
        "Credits are frozen",
        "It can be reopened until",
        "This organization is closed",
        WHY,
    ):
        assert told in text, told
    assert everything() == before


@pytest.mark.slow
def test_closed_and_reopened_with_the_token_of_the_preview(client: Client, workspace: Workspace) -> None:
    organization = workspace.organization
    page = reverse("admin:tenants_organization_change", args=(organization.pk,))
    assert offered(client, organization) == {"close"}
    token, _ = previewed(client, organization, "close")
    assert apply(client, organization, "close", token)[0] == page
    assert "is closed. It can be reopened until" in client.get(page).content.decode()
    assert offered(client, organization) == {"reopen"}
    told = client.get(page).content.decode()
    for line in ("Can be reopened until", "Organization closed"):
        assert line in told, line
    token, text = previewed(client, organization, "reopen")
    assert "1 connector switched on" in text
    assert apply(client, organization, "reopen", token)[0] == page
    assert offered(client, organization) == {"close"}
    entries = AuditEntry.objects.filter(reason=WHY, event__startswith="organization.").order_by("sequence")
    assert [(entry.event, entry.role) for entry in entries] == [
        ("organization.closed", "billing_operations"),
        ("organization.reopened", "billing_operations"),
    ]


def test_what_is_open_is_named_and_a_close_is_forced_in_so_many_words(client: Client, workspace: Workspace) -> None:
    organization = workspace.organization
    make_invoice(organization, number="CH-7")
    before = everything()
    token, text = previewed(client, organization, "close")
    assert token == ""
    assert "CH-7" in text
    assert WHY in text
    assert everything() == before
    token, text = previewed(client, organization, "close", is_forced="on")
    assert "Still open: the invoice CH-7 of 49.00 EUR." in text
    assert '<dd class="ch-value">Yes</dd>' in text
    # The token binds the entries: without the word it closes nothing.
    assert "Not what was previewed" in apply(client, organization, "close", token)[1]
    assert everything() == before
    assert apply(client, organization, "close", token, is_forced="on")[0]
    organization.refresh_from_db()
    assert organization.closed_at is not None


def test_an_invoice_that_comes_after_the_preview_is_shown_before_the_close(
    client: Client, workspace: Workspace
) -> None:
    organization = workspace.organization
    token, _ = previewed(client, organization, "close", is_forced="on")
    make_invoice(organization)
    before = everything()
    assert "moved on since the preview" in apply(client, organization, "close", token, is_forced="on")[1]
    assert everything() == before


@pytest.mark.parametrize("is_ours_first", [True, False])
def test_of_two_at_once_the_second_is_told_by_whom(
    client: Client, workspace: Workspace, *, is_ours_first: bool
) -> None:
    organization = workspace.organization
    token, _ = previewed(client, organization, "close")
    other = client_of(Role.BILLING_OPERATIONS)
    others, _ = previewed(other, organization, "close")
    first, second = ((client, token), (other, others)) if is_ours_first else ((other, others), (client, token))
    assert apply(first[0], organization, "close", first[1])[0]
    before = everything()
    leads_to, text = apply(second[0], organization, "close", second[1])
    assert leads_to == ""
    assert "Organization closed by billing_operations" in text
    assert everything() == before


def test_another_persons_token_and_another_verbs_close_nothing(client: Client, workspace: Workspace) -> None:
    organization = workspace.organization
    token, _ = previewed(client_of(Role.BILLING_OPERATIONS), organization, "close")
    before = everything()
    for wrong in (token, "", "forged"):
        assert "Not what was previewed" in apply(client, organization, "close", wrong)[1]
    assert everything() == before


def test_support_is_offered_nothing_and_refused(workspace: Workspace) -> None:
    support = client_of(Role.SUPPORT)
    assert offered(support, workspace.organization) == set()
    before = everything()
    for verb in ("close", "reopen"):
        url = reverse(f"admin:tenants_organization_{verb}", args=(workspace.organization.pk,))
        assert support.post(url, {"reason": WHY, "step": "apply"}).status_code == 403
    assert everything() == before


def test_a_sample_is_never_offered_for_closing(client: Client) -> None:
    assert offered(client, make_organization(is_demo=True)) == set()


def test_what_a_provider_goes_on_charging_is_told_before_and_after(client: Client) -> None:
    organization, now = make_organization(), clock.now()
    subscription = ProviderSubscription.objects.create(
        provider="stripe",
        external_id="sub_4711",
        customer_external_id="cus_1",
        organization=organization,
        news_at=now,
        status="active",
        started_at=now,
    )
    line = f"goes on charging {subscription.external_id}: end it there."
    assert line in previewed(client, organization, "close")[1]
    organization_close(staff_context(), organization_id=OrganizationId(organization.pk), reason=WHY)
    page = reverse("admin:tenants_organization_change", args=(organization.pk,))
    assert line in client.get(page).content.decode()
    ProviderSubscription.objects.filter(pk=subscription.pk).update(status="ended", ended_at=now)
    assert line not in client.get(page).content.decode()
