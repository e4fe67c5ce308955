"""Staff invite, change roles and remove on the organization's page: owners too, with a reason, never the last one."""

from __future__ import annotations

from copy import deepcopy
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import MembershipRole, Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.tenants.memberships import refuse_member_change
from apps.tenants.models import Membership, User
from apps.tenants.services import member_end, member_invite, member_invite_again, member_role_change
from tests.backoffice.people import client_of
from tests.contexts import staff_context
from tests.factories.tenants import make_organization, make_staff
from tests.journeys.room import Room
from tests.tenants.mailbox import delivered, path_in

pytestmark = pytest.mark.django_db
WHY = "ticket 4711"
SCRIPT = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def lasting_room(lasting_db: None) -> Room:
    return Room()


@pytest.fixture
def room(lasting_room: Room, db: None) -> Room:
    """What a test changes on its objects stays with the test, as what it writes does."""
    return deepcopy(lasting_room)


def truth(room: Room) -> tuple[object, ...]:
    roles = Membership.objects.filter(organization=room.organization.pk).order_by("user__email")
    return (list(roles.values_list("user__email", "role")), AuditEntry.objects.count(), User.objects.count())


def membership(room: Room, role: str) -> Membership:
    return Membership.objects.get(organization=room.organization.pk, user=room.people[role])


def invite_url(room: Room) -> str:
    return reverse("admin:tenants_organization_invite_member", args=(room.organization.pk,))


def url_of(room: Room, verb: str, role: str) -> str:
    address = reverse(f"admin:tenants_membership_{verb}", args=(membership(room, role).pk,))
    return f"{address}?back=organization:{room.organization.pk}"


def send(client: Client, url: str, step: str = "apply", **fields: str) -> str:
    """Post the dialog as the page's script does: where it leads, or the text of the dialog that stays."""
    answer = client.post(url, {"reason": WHY, "step": step, **fields}, headers=SCRIPT)
    assert answer.status_code == 200, answer.content
    return answer.headers.get("HX-Redirect", unescape(answer.content.decode()))


def here(room: Room) -> str:
    return reverse("admin:tenants_organization_change", args=(room.organization.pk,))


def invite_ivy(staff: Client, room: Room) -> None:
    """Ivy becomes an owner, after a preview that changes nothing, and signs in by her mail."""
    wanted = {"email": "Ivy@Northwind.example", "name": "Ivy Ito", "role": "owner"}
    before = truth(room)
    preview = send(staff, invite_url(room), "preview", **wanted)
    assert "An owner does everything an admin does, pays, and changes owners." in preview
    assert "is new here and becomes a user" in preview
    assert truth(room) == before
    assert delivered() == []
    assert send(staff, invite_url(room), **wanted) == here(room)
    (mail,) = [mail for mail in delivered() if mail.to == ["ivy@northwind.example"]]
    ivy = Client()
    ivy.post(path_in(mail), {"new_password1": "a-river-and-a-lake", "new_password2": "a-river-and-a-lake"})
    room.people["ivy"] = User.objects.get(email="ivy@northwind.example")


@pytest.mark.slow
def test_staff_invite_change_and_remove_from_the_organizations_page_and_each_counts_at_once(room: Room) -> None:
    staff = client_of(Role.BILLING_OPERATIONS)
    page = staff.get(here(room)).content.decode()
    assert invite_url(room) in page
    assert url_of(room, "change_role", "viewer").replace("organization:", "organization%3A") in page

    invite_ivy(staff, room)
    assert room.send("settings", "ivy", time_zone="Europe/Lisbon")[0] == 302

    url = url_of(room, "change_role", "ivy")
    preview = send(staff, url, "preview", role="viewer")
    assert "Until now: An owner" in preview
    assert "From the next click on: A viewer reads the billing pages." in preview
    assert send(staff, url, role="viewer") == here(room)
    assert room.send("settings", "ivy", time_zone="Europe/Rome")[0] == 403
    assert room.client("ivy").get(room.address("overview")).status_code == 200

    url = url_of(room, "remove", "ivy")
    assert "not_a_member" in send(staff, url, "preview")
    assert send(staff, url) == here(room)
    assert room.client("ivy").get(room.address("overview")).status_code == 404
    entries = AuditEntry.objects.filter(organization_id=room.organization.pk, event__startswith="membership.")
    assert list(entries.filter(reason=WHY).order_by("sequence").values_list("event", "role")) == [
        (event, "billing_operations")
        for event in ("membership.created", "membership.role_changed", "membership.removed")
    ]


def test_the_last_owner_stays_and_the_preview_says_so_already(room: Room) -> None:
    staff = client_of(Role.PLATFORM_ADMIN)
    for verb, fields in (("change_role", {"role": "admin"}), ("remove", {})):
        before = truth(room)
        for step in ("preview", "apply"):
            told = send(staff, url_of(room, verb, "owner"), step, **fields)
            assert "This is the organization's last owner. Make somebody else an owner first." in told
            assert "what it will do" not in told
        assert truth(room) == before
    send(staff, url_of(room, "change_role", "admin"), role="owner")
    send(staff, url_of(room, "change_role", "owner"), role="admin")
    assert [membership(room, role).role for role in ("owner", "admin")] == ["admin", "owner"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"email": "viewer@northwind.example"}, "is a member already, as viewer. Change the role"),
        ({"email": "no address"}, "must"),
        ({"email": "sam@countinghouse.example"}, "This address belongs to our staff"),
        ({"role": "emperor"}, "Select a valid choice"),
        ({"reason": " "}, "This field is required"),
    ],
)
def test_an_invitation_that_is_refused_changes_nothing(room: Room, fields: dict[str, str], sentence: str) -> None:
    make_staff(email="sam@countinghouse.example")
    staff = client_of(Role.BILLING_OPERATIONS)
    before = truth(room)
    for step in ("preview", "apply"):
        told = send(staff, invite_url(room), step, **{"email": "ivy@northwind.example", "role": "viewer", **fields})
        assert sentence in told
    assert truth(room) == before
    assert delivered() == []


def test_nobody_is_invited_into_a_closed_organization_and_members_can_still_be_removed(room: Room) -> None:
    staff = client_of(Role.BILLING_OPERATIONS)
    room.close()
    before = truth(room)
    told = send(staff, invite_url(room), email="ivy@northwind.example", role="viewer")
    assert "Northwind is closed: nobody can be invited to it." in told
    assert truth(room) == before
    send(staff, url_of(room, "remove", "viewer"))
    assert not Membership.objects.filter(user=room.people["viewer"]).exists()


def test_a_suspended_customer_gets_the_person_who_can_pay(room: Room) -> None:
    room.suspend()
    send(client_of(Role.BILLING_OPERATIONS), invite_url(room), email="ivy@northwind.example", role="owner")
    assert Membership.objects.get(user__email="ivy@northwind.example").role == "owner"


def test_support_is_offered_nothing_and_refused(room: Room) -> None:
    support = client_of(Role.SUPPORT)
    page = support.get(reverse("admin:tenants_organization_change", args=(room.organization.pk,))).content.decode()
    assert "viewer@northwind.example" in page
    urls = [invite_url(room), url_of(room, "change_role", "viewer"), url_of(room, "remove", "viewer")]
    before = truth(room)
    for url in urls:
        assert url.partition("?")[0] not in page
        assert support.post(url, {"reason": WHY, "role": "owner", "step": "apply"}, headers=SCRIPT).status_code == 403
    assert truth(room) == before


@pytest.mark.parametrize("actor", [Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN])
@pytest.mark.parametrize("stored", [None, *MembershipRole])
@pytest.mark.parametrize("wanted", [None, *MembershipRole])
def test_staff_overstep_no_role_of_tenants(
    actor: Role, stored: MembershipRole | None, wanted: MembershipRole | None
) -> None:
    assert refuse_member_change(actor=actor, stored=stored, wanted=wanted) is None


def test_the_services_ask_staff_for_a_reason_and_for_the_organization(room: Room) -> None:
    organization_id, viewer = OrganizationId(room.organization.pk), UserId(room.people["viewer"].pk)

    def tries(context_organization: OrganizationId, role: Role, reason: str) -> list[type[Exception]]:
        context, named = staff_context(role, context_organization), {"organization_id": organization_id}
        refused: list[type[Exception]] = []
        for attempt in (
            lambda: member_invite(
                context, **named, email="i@x.example", name="", role=MembershipRole.VIEWER, reason=reason
            ),
            lambda: member_invite_again(context, **named, user_id=viewer, reason=reason),
            lambda: member_role_change(context, **named, user_id=viewer, role=MembershipRole.MEMBER, reason=reason),
            lambda: member_end(context, **named, user_id=viewer, reason=reason),
        ):
            with pytest.raises((ForbiddenError, NotFoundError, UnprocessableError, ConflictError)) as refusal:
                attempt()
            refused.append(refusal.type)
        return refused

    other = OrganizationId(make_organization("Elsewhere").pk)
    before = truth(room)
    assert tries(organization_id, Role.BILLING_OPERATIONS, "  ") == [UnprocessableError] * 4
    assert tries(other, Role.BILLING_OPERATIONS, WHY) == [NotFoundError] * 4
    assert tries(organization_id, Role.SUPPORT, WHY) == [ForbiddenError] * 4
    assert truth(room) == before
