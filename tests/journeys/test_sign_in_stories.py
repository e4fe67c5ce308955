"""How people get in, in a real browser: invited, without their password, from a product, by the identity service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connections
from django.urls import reverse
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from apps.core.enums import MembershipRole, Role
from apps.core.ids import OrganizationId, ProductId, ServiceTokenId, UserId, WorkspaceId
from apps.tenants.enums import LinkKind
from apps.tenants.models import ServiceToken, User, Workspace
from apps.tenants.oidc.provider import memory
from apps.tenants.services import portal_session_create, product_return_hosts_change, sign_in_link_send
from tests.contexts import console_context, product_context
from tests.counterparts.google import CLIENT_ID, CLIENT_SECRET, GoogleStandIn, google_stand_in
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_signing_in_user,
    make_staff,
    make_token,
    make_user,
    make_workspace,
)
from tests.journeys.tabs import EMAIL, SIZES, Opener
from tests.journeys.tabs import open_tab as open_tab  # noqa: PLC0414 - a fixture of this module
from tests.subscriptions.cast import make_plan
from tests.tenants.mailbox import link_sent_to

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.browser]

FRESH, RETURN = "three-words-and-a-river", "https://app.example.com/settings"
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def _at_this_address(settings: Settings, live_server: LiveServer) -> None:
    settings.PUBLIC_URL = live_server.url


def elsewhere(work: Callable[[], Result]) -> Result:
    """Do what asks the database in a thread without the browser's event loop."""

    def alone() -> Result:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(alone).result()


def invited() -> str:
    user = make_user(EMAIL, "Ann")
    make_tenant(user)
    sign_in_link_send(console_context(), user_id=UserId(user.pk), kind=LinkKind.INVITATION)
    return link_sent_to(EMAIL)


def sent_by_a_product() -> tuple[Workspace, str]:
    user = make_user(EMAIL)
    workspace = make_tenant(user)
    product = make_product("red", workspace.organization)
    make_token(product)
    product_return_hosts_change(
        console_context(), product_id=ProductId(product.pk), hosts=["app.example.com"], reason="for the story"
    )
    token_id = ServiceTokenId(ServiceToken.objects.get().pk)
    asking = product_context(product, OrganizationId(workspace.organization_id), token_id=token_id)
    _, url = portal_session_create(
        asking, user_id=UserId(user.pk), workspace_id=WorkspaceId(workspace.pk), return_url=RETURN
    )
    return workspace, url


def known_by_id() -> tuple[User, Workspace]:
    user = make_user(EMAIL)
    return user, make_tenant(user)


def make_tenant(user: User) -> Workspace:
    make_plan()
    organization = make_organization("Northwind", time_zone="Europe/Berlin")
    make_membership(organization, user, MembershipRole.ADMIN)
    return make_workspace(organization)


def test_from_the_invitation_to_the_first_sign_in(open_tab: Opener) -> None:
    path = elsewhere(invited)
    with open_tab(viewport=SIZES["phone"], java_script_enabled=False) as tab:
        tab.page.goto(f"{tab.address}{path}")
        tab.page.get_by_label("New password", exact=True).fill("short")
        tab.page.get_by_label("New password again").fill("short")
        tab.page.get_by_role("button", name="Save and sign in").click()
        assert "too short" in tab.page.get_by_role("alert").first.inner_text()
        tab.page.get_by_label("New password", exact=True).fill(FRESH)
        tab.page.get_by_label("New password again").fill(FRESH)
        tab.page.get_by_role("button", name="Save and sign in").click()
        tab.page.wait_for_url("**/billing/**")
        tab.page.get_by_text("Your password is set, and you are signed in.").wait_for()


def test_a_forgotten_password(open_tab: Opener) -> None:
    elsewhere(lambda: make_tenant(make_signing_in_user(EMAIL)))
    with open_tab(viewport=SIZES["desk"], color_scheme="dark") as tab:
        tab.page.goto(f"{tab.address}/sign-in/")
        tab.page.get_by_role("link", name="Forgot your password?").click()
        tab.check()
        tab.page.get_by_label("E-mail address").fill(EMAIL)
        tab.page.get_by_role("button", name="Send the link").click()
        tab.page.wait_for_url("**/sign-in/forgot/sent/")
        tab.check()
        path = elsewhere(lambda: link_sent_to(EMAIL))
        tab.page.goto(f"{tab.address}{path}")
        tab.check()
        tab.page.get_by_label("New password", exact=True).fill(FRESH)
        tab.page.get_by_label("New password again").fill(FRESH)
        tab.page.get_by_role("button", name="Save and sign in").click()
        tab.page.wait_for_url("**/billing/**")
        tab.page.goto(f"{tab.address}/account/")
        tab.check()
        tab.page.locator(".account summary").click()
        tab.page.get_by_role("button", name="Sign out").click()
        tab.page.get_by_text("You are signed out.").wait_for()
        tab.page.goto(f"{tab.address}{path}")
        assert "This link was already used" in tab.page.title()
        tab.check(statuses=(410,))


def test_from_a_product_and_back(open_tab: Opener) -> None:
    workspace, url = elsewhere(sent_by_a_product)
    with open_tab(viewport=SIZES["phone"]) as tab:
        tab.page.route("https://app.example.com/**", lambda route: route.fulfill(body="<h1>Red again</h1>"))
        tab.page.goto(url)
        tab.page.wait_for_url(f"**/billing/{workspace.slug}/**")
        tab.check()
        tab.page.locator(".account summary").click()
        tab.check()
        assert tab.page.get_by_role("link", name="Your account").count() == 0
        tab.page.get_by_role("link", name="Back to Red").click()
        tab.page.get_by_role("heading", name="Red again").wait_for()


@pytest.fixture
def identity_service(settings: Settings, live_server: LiveServer) -> Iterator[str]:
    """npm's `oidc-provider`, whose people have the id under which they sign in there."""
    callback = f"{live_server.url}{reverse('oidc-callback')}"
    with google_stand_in(redirect_uris=[callback], scopes=[], token_auth_method="client_secret_basic") as stand_in:
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = stand_in.issuer, CLIENT_ID
        settings.OIDC_CLIENT_SECRET, settings.PASSWORD_SIGN_IN = CLIENT_SECRET, False
        memory.clear()
        yield stand_in.issuer


def test_through_the_identity_service(identity_service: str, open_tab: Opener) -> None:
    user, workspace = elsewhere(known_by_id)
    with open_tab(viewport=SIZES["desk"]) as tab:
        wanted = reverse("billing-settings", args=[workspace.slug])
        tab.page.goto(f"{tab.address}{wanted}")
        tab.check()
        assert tab.page.get_by_label("Password").count() == 0
        tab.page.get_by_role("link", name="Continue with your company account").click()
        tab.page.wait_for_url(f"{identity_service}/**")
        tab.page.locator("[name=login]").fill(str(user.pk))
        tab.page.locator("[name=password]").fill("any")
        tab.page.locator("[type=submit]").click()
        tab.page.locator("[type=submit]", has_text="Continue").click()
        tab.page.wait_for_url(f"**{wanted}")
        tab.check()
        # A person whom nobody here knows.
        tab.page.context.clear_cookies()
        tab.page.goto(f"{tab.address}/sign-in/oidc/")
        tab.page.locator("[name=login]").fill("somebody-else")
        tab.page.locator("[name=password]").fill("any")
        tab.page.locator("[type=submit]").click()
        tab.page.locator("[type=submit]", has_text="Continue").click()
        tab.page.get_by_role("heading", name="You have no account here yet").wait_for()
        tab.check(statuses=(403,))


@pytest.fixture
def staff_service(settings: Settings, live_server: LiveServer) -> Iterator[GoogleStandIn]:
    """The same for staff, who come in with a proof of a second factor."""
    callback = f"{live_server.url}{reverse('admin:oidc_callback')}"
    with google_stand_in(redirect_uris=[callback], scopes=[], token_auth_method="client_secret_basic") as stand_in:
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = stand_in.issuer, CLIENT_ID
        settings.OIDC_CLIENT_SECRET = CLIENT_SECRET
        settings.STAFF_OIDC, settings.STAFF_OIDC_PROOF = True, ("amr", "mfa")
        memory.clear()
        yield stand_in


@pytest.mark.parametrize("factors", [["pwd"], ["pwd", "mfa"]])
def test_staff_through_the_identity_service(staff_service: GoogleStandIn, open_tab: Opener, factors: list[str]) -> None:
    staff_service.control(amr=factors)
    user = elsewhere(lambda: make_staff(Role.SUPPORT))
    with open_tab(viewport=SIZES["desk"]) as tab:
        tab.page.goto(f"{tab.address}/admin/")
        tab.page.get_by_role("link", name="Continue with your company account").click()
        tab.page.wait_for_url(f"{staff_service.issuer}/**")
        tab.page.locator("[name=login]").fill(str(user.pk))
        tab.page.locator("[name=password]").fill("any")
        tab.page.locator("[type=submit]").click()
        tab.page.locator("[type=submit]", has_text="Continue").click()
        if "mfa" in factors:
            tab.page.wait_for_url(f"{tab.address}/admin/")
            tab.page.get_by_role("heading", name="Overview").first.wait_for()
        else:
            tab.page.get_by_text("No proof of a second factor").first.wait_for()
            tab.check(statuses=(403,))
            tab.page.goto(f"{tab.address}/admin/")
            tab.page.wait_for_url("**/admin/login/**")
