"""Staff who view a tenant's pages as a member: read-only, one organization, an hour, every view kept (spec 08)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import MembershipRole, Role
from apps.core.models import AuditEntry
from apps.tenants.models import Impersonation, Membership, Organization, User, Workspace
from tests.access.pages import BODIES, more_in_address, page_routes
from tests.access.test_look_only import OUR_TABLES, look, written
from tests.access.world import STAFF, World
from tests.backoffice.people import client_of, sign_in
from tests.factories.tenants import make_membership, make_organization, make_staff, make_user, make_workspace
from tests.markup import Page

REASON = "They can't find an invoice."
ROUTES = page_routes()
# The rows by which a view is kept, and the session that knows how long it lasts.
KEPT = {"core_auditentry", "core_auditchain", "tenants_impersonation"}
READ = ("billing-members", "billing-settings", "billing-credits-csv")


class Desk:
    """A member of staff at a browser, who views the own organization as its owner."""

    def __init__(self, world: World, role: Role = Role.SUPPORT) -> None:
        self.world = world
        self.owner = world.users["tenant owner"]
        self.organization = Organization.objects.get(pk=world.tenants["own"].organization_id)
        self.membership = Membership.objects.get(organization=self.organization, user=self.owner)
        self.slugs = dict(Workspace.objects.values_list("pk", "slug"))
        self.staff, self.client = make_staff(role), Client(raise_request_exception=False)
        sign_in(self.client, self.staff)

    def begin(self, membership: Membership | None = None) -> HttpResponse:
        chosen = membership or self.membership
        dialog = reverse("admin:tenants_membership_view_as", args=[chosen.pk])
        slug = Workspace.objects.filter(organization=chosen.organization_id).values_list("slug", flat=True).first()
        return self.client.post(dialog, {"reason": REASON, "workspace": slug or ""})  # type: ignore[return-value]

    def path(self, name: str, relation: str = "own") -> str:
        tenant = self.world.tenants[relation]
        pattern = next(route.pattern for route in ROUTES if route.name == name)
        return reverse(name, args=[self.slugs[tenant.workspace_id], *more_in_address(pattern, tenant)])

    @property
    def row(self) -> Impersonation:
        return Impersonation.objects.get(staff=self.staff, ended_at=None)

    def entries(self) -> list[tuple[str, str]]:
        found = AuditEntry.objects.filter(event__startswith="impersonation.", organization_id=self.organization.pk)
        return list(found.order_by("sequence").values_list("event", "actor_label"))


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


@pytest.mark.parametrize("role", [name.removeprefix("staff ") for name in STAFF])
def test_staff_of_every_role_see_what_the_member_sees_under_a_bar(world: World, role: str) -> None:
    desk = Desk(world, Role(role))
    answer = desk.begin()
    assert (answer.status_code, answer.headers["Location"]) == (302, desk.path("billing-workspace"))
    page = Page(desk.client.get(desk.path("billing-members")).content.decode())
    until = f"{desk.row.ends_at:%H:%M}"
    assert f"You are viewing as {desk.owner.name} (Own). Read-only, ends at {until}." in page.text
    # The member's own page would say "you" of the member, not of the colleague who looks.
    assert desk.staff.email not in page.text
    assert desk.row.ends_at - desk.row.started_at == timedelta(minutes=60)
    assert desk.entries()[-2:] == [
        ("impersonation.started", desk.staff.email),
        ("impersonation.page_viewed", desk.staff.email),
    ]
    view = AuditEntry.objects.filter(event="impersonation.page_viewed").latest("recorded_at")
    assert view.after == {
        "member_id": str(desk.owner.pk), "method": "GET", "path": desk.path("billing-members"),
    }  # fmt: skip


def test_a_view_is_kept_without_its_query_and_a_page_that_reloads_itself_once_a_minute(desk: Desk) -> None:
    desk.begin()
    path = desk.path("billing-members")
    for address in (f"{path}?q=secret-of-a-query", f"{path}?q=secret-of-a-query", path):
        desk.client.get(address)
    views = AuditEntry.objects.filter(event="impersonation.page_viewed", target_id=str(desk.row.pk))
    assert [entry.after["path"] for entry in views] == [path, path]
    assert "secret-of-a-query" not in str(list(views.values()))
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        desk.client.get(path)
    assert (views.all().count(), desk.row.page_views) == (3, 3)


def changed_by(act: Callable[[], object]) -> set[str]:
    """The tables that are written to meanwhile, but for those in which the view is kept."""
    before = written()
    act()
    return {table for table, count in written().items() if count != before.get(table, 0)} - KEPT


def test_no_page_can_be_sent_anything_and_none_that_is_read_changes_anything(desk: Desk) -> None:
    desk.begin()
    for number, route in enumerate(ROUTES):
        path, entries = desk.path(route.name), len(desk.entries())
        answers: list[Any] = []
        body, other = BODIES.get(route.name, {}), ("PUT", "PATCH", "DELETE", "OPTIONS")[number % 4]
        assert changed_by(lambda: answers.append(desk.client.post(path, body))) == set(), path  # noqa: B023
        assert changed_by(lambda: answers.append(desk.client.generic(other, path))) == set(), path  # noqa: B023
        for answer in answers:
            assert (answer.status_code, "Nothing was changed" in answer.content.decode()) == (403, True), path
        assert desk.entries()[entries:] == [("impersonation.refused", desk.staff.email)] * 2
        if "GET" in route.operations:
            assert changed_by(lambda: look(desk.client, path)) == set(), path  # noqa: B023


def test_the_tables_that_are_watched_are_those_that_a_member_changes(desk: Desk) -> None:
    assert set(OUR_TABLES) > KEPT
    client, _ = desk.world.client("tenant owner")
    before = written()
    assert client.post(desk.path("billing-settings"), BODIES["billing-settings"]).status_code == 302
    assert written().get("tenants_organization", 0) > before.get("tenants_organization", 0)


@pytest.mark.parametrize("relation", ["foreign", "demo"])
@pytest.mark.parametrize("name", READ)
def test_another_organization_is_out_of_reach_though_staff_could_open_it(desk: Desk, relation: str, name: str) -> None:
    assert desk.client.get(desk.path(name, relation)).status_code == 200
    make_membership(Organization.objects.get(pk=desk.world.tenants[relation].organization_id), desk.owner)
    desk.begin()
    answer = desk.client.get(desk.path(name, relation))
    assert answer.status_code == 404
    assert desk.entries()[-1] == ("impersonation.refused", desk.staff.email)
    # The log is the organization's own: it names no other one.
    slug = desk.slugs[desk.world.tenants[relation].workspace_id]
    assert slug not in str(list(AuditEntry.objects.filter(organization_id=desk.organization.pk).values("after")))
    assert slug not in desk.client.get(desk.path("billing-members")).content.decode()


def test_the_staff_pages_stay_those_of_the_colleague_and_the_members_sessions_untouched(desk: Desk) -> None:
    member, _ = desk.world.client("tenant owner")
    last_login = User.objects.get(pk=desk.owner.pk).last_login
    desk.begin()
    desk.client.get(desk.path("billing-members"))
    home = desk.client.get(reverse("admin:index"))
    assert (home.status_code, "Impersonations" in home.content.decode()) == (200, True)
    assert desk.client.session["_auth_user_id"] == str(desk.staff.pk)
    assert "You are viewing as" not in member.get(desk.path("billing-members")).content.decode()
    assert User.objects.get(pk=desk.owner.pk).last_login == last_login
    # Another browser of the same person views nobody, and what the session knows is worth nothing elsewhere.
    other = Client()
    sign_in(other, desk.staff)
    assert "You are viewing as" not in other.get(desk.path("billing-members")).content.decode()
    stranger = Client()
    stranger.force_login(desk.world.users["signed-in stranger"])
    session = stranger.session
    session["impersonation"] = str(desk.row.pk)
    session.save()
    assert stranger.get(desk.path("billing-members")).status_code == 403
    assert stranger.get(desk.path("billing-members")).status_code == 404
    assert desk.client.get(desk.path("billing-members")).status_code == 200


@pytest.mark.parametrize("address", ["/account/", "/sign-in/", "/connectors/google/authorize?connector=x"])
def test_what_is_no_page_of_the_organization_stays_shut(desk: Desk, address: str) -> None:
    desk.begin()
    answer = desk.client.get(address)
    assert answer.status_code == 403
    assert "You are viewing as" in answer.content.decode()
    assert desk.client.get(reverse("billing-home")).headers["Location"] == desk.path("billing-workspace")


def test_colleagues_former_members_and_organizations_without_pages_cannot_be_chosen(desk: Desk) -> None:
    colleague = make_membership(desk.organization, make_staff(), MembershipRole.ADMIN)
    lonely = make_membership(make_organization("Lonely"), make_user())
    deactivated = make_membership(desk.organization, make_user())
    User.objects.filter(pk=deactivated.user_id).update(is_active=False)
    oneself = make_membership(desk.organization, desk.staff)
    for membership in (colleague, lonely, deactivated, oneself):
        answer = desk.begin(membership)
        assert answer.status_code == 200, membership
    gone = reverse("admin:tenants_membership_view_as", args=[desk.membership.pk])
    desk.membership.delete()
    assert desk.client.post(gone, {"reason": REASON}).status_code == 404
    assert not Impersonation.objects.filter(staff=desk.staff).exists()


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_begins(desk: Desk, reason: str) -> None:
    dialog = reverse("admin:tenants_membership_view_as", args=[desk.membership.pk])
    slug = desk.slugs[desk.world.tenants["own"].workspace_id]
    assert desk.client.post(dialog, {"reason": reason, "workspace": slug}).status_code == 200
    assert not Impersonation.objects.exists()


def test_tenants_and_products_begin_nothing(desk: Desk) -> None:
    dialog = reverse("admin:tenants_membership_view_as", args=[desk.membership.pk])
    for principal in ("tenant owner", "signed-in stranger", "staff without second factor", "anonymous"):
        client, _ = desk.world.client(principal)
        assert client.post(dialog, {"reason": REASON}).status_code == 302, principal
    assert not Impersonation.objects.exists()


def test_staff_read_who_viewed_what_as_whom(desk: Desk) -> None:
    desk.begin()
    desk.client.get(desk.path("billing-members"))
    reader = client_of(Role.SUPPORT)
    rows = Page(reader.get(reverse("admin:tenants_impersonation_changelist")).content.decode()).text
    assert REASON in rows
    assert "Running" in rows
    page = reader.get(reverse("admin:tenants_impersonation_change", args=[desk.row.pk])).content.decode()
    assert desk.path("billing-members") in page


def test_an_organization_with_two_workspaces_shows_both_and_none_of_others(desk: Desk) -> None:
    second = make_workspace(desk.organization, "Staging")
    elsewhere = make_workspace(make_organization("Elsewhere", owner=desk.owner))
    desk.begin()
    page = Page(desk.client.get(desk.path("billing-members")).content.decode())
    links = " ".join(page.links())
    assert f"/billing/{second.slug}/" in links
    assert elsewhere.slug not in links
