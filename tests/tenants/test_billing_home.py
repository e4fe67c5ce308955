"""The list of a person's workspaces, the navigation, and the frame around each page (spec 08, Billing pages)."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Role
from apps.core.registry import Registry, UnknownNameError
from apps.tenants import pages
from apps.tenants.models import Organization, User, Workspace
from apps.tenants.views import LISTED_AT_MOST
from tests.contexts import console_context, staff_context
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_signing_in_user,
    make_staff,
    make_user,
    make_workspace,
)
from tests.markup import Page

pytestmark = pytest.mark.django_db
HOME = reverse("billing-home")
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7|add:7 }}'"


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(workspace: Workspace) -> str:
    return reverse("billing-workspace", args=[workspace.slug])


def see(client: Client, path: str = HOME, **query: str) -> Page:
    answer = client.get(path, query)
    assert answer.status_code == 200
    page = Page(answer.content.decode())
    assert page.inline == []
    return page


def test_the_start_page_leads_everybody_to_their_sign_in() -> None:
    page = see(Client(), reverse("start"))
    assert {reverse("sign-in"), reverse("admin:index"), reverse("api-docs")} <= set(page.links())
    assert HOME in see(browser_of(make_signing_in_user()), reverse("start")).links()


def test_a_refusal_is_shown_in_the_frame_with_whom_to_ask() -> None:
    user = make_signing_in_user()
    organization = make_organization()
    workspace = make_workspace(organization)
    make_membership(organization, user, MembershipRole.VIEWER)
    answer = browser_of(user).post(reverse("billing-settings", args=[workspace.slug]), {"time_zone": "Asia/Tokyo"})
    page = Page(answer.content.decode())
    assert answer.status_code == 403
    assert "You can't change the settings with the role Viewer. Ask an admin or an owner" in page.text
    assert "settings.change" not in page.text
    assert reverse("billing-credits", args=[workspace.slug]) in page.links()
    organization.refresh_from_db()
    assert organization.time_zone == "UTC"


def test_with_exactly_one_workspace_the_way_leads_straight_to_its_first_page() -> None:
    user = make_signing_in_user()
    workspace = make_workspace(make_organization(owner=user))
    make_workspace(make_organization("Foreign"))
    make_workspace(make_organization("Demo", is_demo=True))
    answer = browser_of(user).get(HOME, follow=True)
    assert [url for url, _ in answer.redirect_chain] == [
        address(workspace),
        reverse("billing-overview", args=[workspace.slug]),
    ]
    assert address(workspace) in see(browser_of(user), all="1").links()


def test_several_are_listed_with_the_persons_own_role_and_no_foreign_one() -> None:
    user = make_signing_in_user()
    first, second, foreign = make_organization("First"), make_organization("Second"), make_organization("Foreign")
    make_membership(first, user, MembershipRole.VIEWER)
    make_membership(second, user, MembershipRole.ADMIN)
    for organization in (first, second, foreign):
        make_membership(organization, make_user(), MembershipRole.OWNER)
    mine = [make_workspace(first, "Alpha"), make_workspace(first, "Beta"), make_workspace(second, "Gamma")]
    other = make_workspace(foreign, "Hidden")
    page = see(browser_of(user))
    assert [link for link in page.links() if link in {address(workspace) for workspace in mine}] == [
        address(workspace) for workspace in mine
    ]
    assert "First Alpha Viewer Beta Viewer Second Gamma Admin" in page.text
    assert address(other) not in page.links()
    assert "Hidden" not in page.text
    assert "Foreign" not in page.text


def test_who_belongs_nowhere_is_told_what_to_do_and_may_look_at_the_demo() -> None:
    user = make_signing_in_user()
    make_workspace(make_organization("Foreign"))
    demo = make_workspace(make_organization("Sample", is_demo=True), "Sandbox")
    page = see(browser_of(user))
    assert "No workspace yet" in page.text
    assert f"signed in as {user.email}" in page.text
    assert "Ask an admin of your organization to invite you" in page.text
    assert address(demo) in page.links()


def test_staff_are_shown_the_way_to_the_back_office() -> None:
    page = see(browser_of(make_staff(Role.SUPPORT)))
    assert reverse("admin:index") in page.links()
    assert "You are staff" in page.text
    assert "No workspace yet" not in page.text
    assert reverse("admin:index") not in see(browser_of(make_signing_in_user())).links()


def test_a_long_list_is_cut_and_can_be_searched() -> None:
    user = make_signing_in_user()
    organization = make_organization("Many", owner=user)
    rows = [Workspace(organization=organization, name=f"Room {n:03}", slug=f"r-{n}") for n in range(LISTED_AT_MOST + 5)]
    Workspace.objects.bulk_create(rows)
    page = see(browser_of(user))
    assert sum(link.startswith("/billing/r-") for link in page.links()) == LISTED_AT_MOST
    assert f"first {LISTED_AT_MOST}" in page.text
    found = see(browser_of(user), q="room 104")
    assert [link for link in found.links() if link.startswith("/billing/r-")] == ["/billing/r-104/"]
    assert "No workspace of yours has" in see(browser_of(user), q=HOSTILE).text


@pytest.mark.parametrize("wanted", ["%", "_", "x" * 5000, HOSTILE, "' OR 1=1 --"])
def test_no_search_breaks_the_list(wanted: str) -> None:
    user = make_signing_in_user()
    make_workspace(make_organization(owner=user), "Plain")
    page = see(browser_of(user), q=wanted, all="1")
    assert "Plain" not in page.text


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.slow
@pytest.mark.slow
def test_list_and_frame_ask_as_much_for_60_workspaces_and_members_as_for_2() -> None:
    user = make_signing_in_user()
    organization = make_organization("Some", owner=user)
    first = make_workspace(organization, "A")
    make_workspace(organization, "B")
    client, paths = browser_of(user), (HOME, reverse("billing-settings", args=[first.slug]))
    for path in paths:
        client.get(path)
    few = [statements(client, path) for path in paths]
    for number in range(30):
        make_workspace(organization, f"W{number}")
        make_membership(organization, make_user())
        make_workspace(make_organization(f"O{number}", owner=user))
    assert [statements(client, path) for path in paths] == few
    assert max(few) <= 12


def test_the_switcher_offers_the_persons_other_workspaces_and_no_more() -> None:
    user = make_signing_in_user()
    organization = make_organization("Own", owner=user)
    here, there = make_workspace(organization, "Here"), make_workspace(organization, "There")
    foreign = make_workspace(make_organization("Foreign"), "Foreign")
    links = see(browser_of(user), reverse("billing-settings", args=[here.slug])).links()
    assert address(there) in links
    assert address(here) not in links
    assert address(foreign) not in links


def test_the_frame_says_where_and_who_and_whether_it_is_a_demo() -> None:
    user = make_signing_in_user()
    organization = make_organization("Northwind", owner=user)
    workspace = make_workspace(organization, "Production")
    demo = make_workspace(make_organization("Sample", is_demo=True))
    client, note = browser_of(user), "Demo data: nothing that you do here is real."
    page = see(client, reverse("billing-settings", args=[workspace.slug]))
    assert "Settings · Northwind, Production · Countinghouse" in page.text
    assert user.email in page.text
    assert "Owner" in page.text
    assert note not in page.text
    assert ("form", {"method": "post", "action": reverse("sign-out")}) in page.elements
    assert note in see(client, reverse("billing-settings", args=[demo.slug])).text


def test_names_of_people_and_tenants_are_text() -> None:
    user = make_signing_in_user()
    User.objects.filter(pk=user.pk).update(name=HOSTILE)
    organization = make_organization(HOSTILE, owner=user)
    workspace = make_workspace(organization, HOSTILE)
    make_workspace(organization, HOSTILE)
    client = browser_of(user)
    for path in (HOME, reverse("billing-settings", args=[workspace.slug])):
        html = client.get(path).content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert HOSTILE in Page(html).text
        assert Page(html).inline == []


def test_only_pages_that_the_role_reaches_are_shown_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_pages", Registry("billing page"))
    pages.register_page("b", label="Late", url_name="billing-settings", order=80, operation="settings.read")
    pages.register_page("a", label="Early", url_name="billing-workspace", order=10, operation="workspaces.read")
    pages.register_page("c", label="Staff's", url_name="billing-workspace", order=20, operation="outbox.read")
    links = pages.links_for(_viewer(), workspace_slug="x", current="a")
    assert [(link.label, link.url, link.is_current) for link in links] == [
        ("Early", "/billing/x/", True),
        ("Late", "/billing/x/settings/", False),
    ]
    with pytest.raises(RuntimeError, match="registered twice"):
        pages.register_page("a", label="Early", url_name="billing-workspace", order=10, operation="workspaces.read")


def test_a_workspace_without_any_page_for_the_role_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_signing_in_user()
    workspace = make_workspace(make_organization(owner=user))
    monkeypatch.setattr(pages, "_pages", Registry("billing page"))
    answer = browser_of(user).get(address(workspace))
    assert answer.status_code == 403
    assert "Ask an admin" in answer.content.decode()


def test_the_lifecycle_is_decided_in_one_place_and_never_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="registered twice"):
        pages.register_lifecycle(lambda context, *, time_zone: pages.LifecycleAccess(frozenset()))
    monkeypatch.setattr(pages, "_lifecycle_sources", Registry("lifecycle source"))
    with pytest.raises(UnknownNameError, match="There is no lifecycle source"):
        pages.lifecycle_access(console_context(), time_zone="UTC")


def test_closed_organizations_are_marked_and_their_demos_not_offered() -> None:
    user = make_signing_in_user()
    for name, is_demo in (("Own", False), ("Sample", True)):
        organization = make_organization(name, owner=None if is_demo else user, is_demo=is_demo)
        make_workspace(organization, f"{name} room")
        make_workspace(organization, f"{name} hall")
        Organization.objects.filter(pk=organization.pk).update(closed_at=clock.now())
    text = see(browser_of(user)).text
    assert "Own Closed Own hall" in text
    assert "Sample" not in text


def _viewer() -> ExecutionContext:
    return staff_context(Role.VIEWER)
