"""The Members page: who may invite, change and remove whom, in plain words, audited, never beyond one's own role."""

from __future__ import annotations

import uuid
from copy import deepcopy
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from apps.core import clock
from apps.core.enums import MembershipRole, Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.tenants.memberships import MemberRefusal, refuse_member_change
from apps.tenants.models import Membership, MembershipRemoval, Organization, User
from apps.tenants.services import member_changes, member_end, member_invite, member_role_change, member_upsert
from tests.contexts import product_context, staff_context
from tests.factories.tenants import make_membership, make_organization, make_product, make_signing_in_user, make_staff
from tests.factories.tenants import make_user as make_stranger
from tests.journeys.room import Room
from tests.tenants.mailbox import delivered, path_in

pytestmark = pytest.mark.django_db
LADDER = ["owner", "admin", "member", "viewer"]


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


@pytest.mark.parametrize("actor", ["owner", "admin"])
@pytest.mark.parametrize("stored", [None, *LADDER])
@pytest.mark.parametrize("wanted", [None, *LADDER])
def test_nobody_oversteps_their_own_role(actor: str, stored: str | None, wanted: str | None) -> None:
    """Spec 02 once more, by places on the ladder: nothing above oneself is touched or given."""
    refusal = refuse_member_change(
        actor=Role(actor),
        stored=MembershipRole(stored) if stored else None,
        wanted=MembershipRole(wanted) if wanted else None,
    )
    place = LADDER.index(actor)
    expected = None
    if wanted and LADDER.index(wanted) < place:
        expected = MemberRefusal.HIGHER_THAN_YOURS
    if stored and LADDER.index(stored) < place:
        expected = MemberRefusal.ABOVE_YOU
    assert refusal is expected


@pytest.mark.parametrize("actor", LADDER)
@pytest.mark.parametrize("target", LADDER)
def test_each_role_changes_and_removes_whom_it_may_through_http(room: Room, actor: str, target: str) -> None:
    other = make_signing_in_user("zoe@northwind.example")
    make_membership(room.organization, other, MembershipRole(target))
    may = actor in {"owner", "admin"} and LADDER.index(target) >= LADDER.index(actor)
    for page, fields in (
        ("member-role", {"role": "viewer" if target != "viewer" else "member"}),
        ("member-remove", {}),
    ):
        before = truth(room)
        _, told = room.send(page, actor, other.pk, **fields)
        assert (truth(room) != before) is may, told
        if not may:
            words = "above your own role" if actor == "admin" else f"with the role {actor.title()}"
            assert words in told
    assert Membership.objects.filter(organization=room.organization.pk, user=other).exists() is not may


def test_the_last_owner_stays(room: Room) -> None:
    owner = room.people["owner"]
    for page, fields in (("member-role", {"role": "admin"}), ("member-remove", {})):
        before = truth(room)
        _, told = room.send(page, "owner", owner.pk, **fields)
        assert "This is the organization's last owner. Make somebody else an owner first." in told
        assert truth(room) == before
    make_membership(room.organization, room.people["admin"], MembershipRole.OWNER)
    _, told = room.send("member-role", "owner", owner.pk, role="admin")
    assert "owner@northwind.example has the role Admin now." in told


def test_an_admin_is_offered_no_role_above_their_own_and_can_not_send_one(room: Room) -> None:
    page = room.see("members", "admin")
    values = {attributes.get("value") for name, attributes in page.elements if name == "option"}
    assert values == {"admin", "member", "viewer"}
    before = truth(room)
    assert room.send("member-role", "admin", room.people["viewer"].pk, role="owner")[1].count(
        "You can't give a role above your own. Ask an owner of the organization."
    )
    status, told = room.send("members", "admin", email="new@northwind.example", role="owner")
    assert (status, "Choose one of the roles in the list." in told) == (422, True)
    assert truth(room) == before


def test_somebody_new_is_invited_by_mail_and_the_link_leads_in(room: Room) -> None:
    status, told = room.send("members", "admin", email="Ivy@Northwind.example", name="Ivy Ito", role="member")
    assert (status, "ivy@northwind.example is a member now" in told) == (302, True)
    (mail,) = delivered()
    assert mail.to == ["ivy@northwind.example"]
    answer = Client().post(
        path_in(mail), {"new_password1": "a-river-and-a-lake", "new_password2": "a-river-and-a-lake"}
    )
    assert answer.status_code == 302
    entries = AuditEntry.objects.filter(event="membership.created").order_by("sequence")
    assert entries.last().actor_label == "admin@northwind.example"  # type: ignore[union-attr]
    text = room.see("members", "viewer").text
    assert "Ivy Ito" in text
    assert "You can't invite members with the role Viewer." in text


def test_somebody_who_signs_in_already_is_told_and_no_link_is_made(room: Room) -> None:
    known = make_signing_in_user("kim@elsewhere.example")
    make_membership(make_organization("Elsewhere"), known)
    room.send("members", "owner", email="kim@elsewhere.example", role="viewer")
    (mail,) = delivered()
    assert "Sign in as kim@elsewhere.example, as you always do." in str(mail.body)
    assert "/sign-in/link/" not in str(mail.body)


def test_an_invitation_can_be_sent_again_until_the_first_sign_in(room: Room) -> None:
    room.send("members", "owner", email="ivy@northwind.example", role="viewer")
    ivy = User.objects.get(email="ivy@northwind.example")
    (first,) = delivered()
    assert "was sent again" in room.send("member-invitation", "owner", ivy.pk)[1]
    (second,) = delivered()
    assert Client().get(path_in(first)).status_code != 200
    assert Client().get(path_in(second)).status_code == 200
    told = room.send("member-invitation", "owner", room.people["member"].pk)[1]
    assert "has signed in before, and needs no invitation." in told
    assert delivered() == []


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("viewer@northwind.example", "is a member already, as viewer. Change the role in the list of members."),
        ("no address", "The address must"),
        ("sam@countinghouse.example", "This address belongs to our staff"),
    ],
)
def test_whom_nobody_can_invite(room: Room, email: str, sentence: str) -> None:
    make_staff(email="sam@countinghouse.example")
    before = truth(room)
    status, told = room.send("members", "owner", email=email, role="viewer")
    assert status == 422
    assert sentence in told
    assert truth(room) == before
    assert delivered() == []


def test_where_people_come_from_an_identity_service_only_known_ones_are_invited(room: Room, settings: Settings) -> None:
    settings.PASSWORD_SIGN_IN = False
    before = truth(room)
    status, told = room.send("members", "owner", email="ivy@northwind.example", role="viewer")
    assert (status, "People come from your company's sign-in service" in told) == (422, True)
    assert truth(room) == before
    make_stranger("ivy@northwind.example")
    assert room.send("members", "owner", email="ivy@northwind.example", role="viewer")[0] == 302
    (mail,) = delivered()
    assert "Open the billing pages" in str(mail.body)


def test_a_day_has_so_many_invitations(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_changes, "INVITATIONS_A_DAY", 6)
    for number in range(2):
        assert room.send("members", "owner", email=f"new{number}@northwind.example", role="viewer")[0] == 302
    before = truth(room)
    status, told = room.send("members", "owner", email="new9@northwind.example", role="viewer")
    assert (status, "people were invited in one day" in told) == (422, True)
    assert truth(room) == before


def test_a_removal_is_remembered_and_an_invitation_is_newer_news(room: Room) -> None:
    member = room.people["member"]
    before = clock.now() - timedelta(minutes=5)
    assert "is no member of Northwind any more." in room.send("member-remove", "admin", member.pk)[1]
    assert MembershipRemoval.objects.filter(organization=room.organization.pk, user=member).exists()
    product = product_context(make_product("red", room.organization))
    organization_id, user_id = OrganizationId(room.organization.pk), UserId(member.pk)
    late = member_upsert(
        product, organization_id=organization_id, user_id=user_id, role=MembershipRole.ADMIN, changed_at=before
    )
    assert not late.is_applied
    assert room.send("members", "admin", email=member.email, role="viewer")[0] == 302
    assert Membership.objects.get(organization=room.organization.pk, user=member).role == "viewer"


def test_who_removes_themselves_loses_access_at_once(room: Room) -> None:
    assert room.send("member-remove", "admin", room.people["admin"].pk)[0] == 302
    assert room.client("admin").get(room.address("members")).status_code == 404


def test_inviting_waits_while_the_workspace_is_read_only_and_removing_does_not(room: Room) -> None:
    room.suspend()
    text = room.see("members").text
    assert "You can't invite members while this workspace is read-only. Contact our billing team to resume it." in text
    assert "Invite somebody" not in text
    assert room.send("members", "owner", email="ivy@northwind.example", role="viewer")[0] == 403
    assert "is no member of Northwind any more." in room.send("member-remove", "owner", room.people["viewer"].pk)[1]


def test_a_role_that_is_none_and_a_person_who_is_none_change_nothing(room: Room) -> None:
    before = truth(room)
    told = room.send("member-role", "owner", room.people["viewer"].pk, role="emperor")[1]
    assert "Choose one of the roles in the list. Nothing was changed." in told
    for page in ("member-role", "member-remove", "member-invitation"):
        assert "This person is no member any more." in room.send(page, "owner", uuid.uuid4(), role="viewer")[1]
    assert truth(room) == before


def test_the_services_refuse_by_themselves(room: Room) -> None:
    """Whatever page or program calls them: the role, the organization, and a visit."""
    organization_id = OrganizationId(room.organization.pk)
    viewer = UserId(room.people["viewer"].pk)
    for role in (Role.MEMBER, Role.VIEWER, Role.STAFF_READER, Role.SUPPORT):
        context = staff_context(role, organization_id)
        with pytest.raises(ForbiddenError):
            member_end(context, organization_id=organization_id, user_id=viewer)
        with pytest.raises(ForbiddenError):
            member_role_change(context, organization_id=organization_id, user_id=viewer, role=MembershipRole.MEMBER)
    other = staff_context(Role.OWNER, OrganizationId(Organization.objects.create(slug="x", name="X", kind="team").pk))
    with pytest.raises(NotFoundError):
        member_end(other, organization_id=organization_id, user_id=viewer)
    owner = staff_context(Role.OWNER, organization_id)
    with pytest.raises(ConflictError):
        member_end(owner, organization_id=organization_id, user_id=UserId(room.people["owner"].pk))
    with pytest.raises(ForbiddenError):
        member_invite(
            staff_context(Role.ADMIN, organization_id),
            organization_id=organization_id,
            email="ivy@northwind.example",
            name="",
            role=MembershipRole.OWNER,
        )


def test_the_list_has_pages_and_a_search(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.tenants.workspace_pages.PAGE_SIZE", 2)
    first = room.see("members").text
    assert "admin@northwind.example" in first
    assert "viewer@northwind.example" not in first
    second = room.see("members", after="member@northwind.example").text
    assert "owner@northwind.example You" in second.replace("  ", " ")
    assert "viewer@northwind.example" in second
    assert "No member has “zzz” in the name or address." in room.see("members", q="zzz").text
    assert "viewer@northwind.example" in room.see("members", q="VIEWER").text
