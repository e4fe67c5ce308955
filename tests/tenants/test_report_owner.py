"""A product's report about an owner changes nothing and becomes drift; only identity and staff change owners."""

from __future__ import annotations

import itertools
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from apps.core import clock
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, MembershipRole, Scope
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.tenants.memberships import ReportOutcome, is_outlived, judge
from apps.tenants.models import Membership, MembershipDrift, MembershipRemoval, Organization, User
from apps.tenants.services import member_remove, member_upsert
from tests.contexts import console_context, identity_context
from tests.factories.tenants import make_membership, make_organization, make_product, make_token, make_user

pytestmark = pytest.mark.django_db
API = "/api/v1/internal"
BELOW_OWNER = ("admin", "member", "viewer")
HOURS = (-24, 0, None)


class Stage:
    """An organization with two owners, a related product, and the identity service."""

    def __init__(self) -> None:
        self.first, self.second = make_user(), make_user()
        self.organization: Organization = make_organization(owner=self.first)
        make_membership(self.organization, self.second, MembershipRole.OWNER)
        self.red = make_product("red", self.organization)
        self.identity = make_product("identity")
        self.tokens = {
            "red": make_token(self.red),
            "identity": make_token(self.identity, *DEFAULT_PRODUCT_SCOPES, Scope.TENANTS_MANAGE),
        }

    def call(
        self, method: str, user: User, body: dict[str, Any] | None = None, *, by: str = "red", query: str = ""
    ) -> Any:
        path = f"{API}/organizations/{self.organization.pk}/members" + (
            ":upsert" if method == "POST" else f"/{user.pk}"
        )
        text = json.dumps({"user_id": str(user.pk), **(body or {})}) if method == "POST" else ""
        headers = {"authorization": f"Bearer {self.tokens[by]}"}
        return Client().generic(method, path + query, text, content_type="application/json", headers=headers)

    def truth(self) -> list[Any]:
        rows = Membership.objects.filter(organization=self.organization).order_by("user").values()
        return [*rows, AuditEntry.objects.count(), MembershipRemoval.objects.count()]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(("role", "hours"), list(itertools.product(BELOW_OWNER, HOURS)))
@pytest.mark.parametrize("is_last", [False, True], ids=["one of two", "the last"])
def test_no_report_of_a_product_demotes_an_owner(stage: Stage, role: str, hours: int | None, is_last: bool) -> None:
    if is_last:
        member_remove(
            console_context(), organization_id=OrganizationId(stage.organization.pk), user_id=UserId(stage.second.pk)
        )
    body = {"role": role}
    if hours is not None:
        body["changed_at"] = (clock.now() + timedelta(hours=hours)).isoformat()
    before = stage.truth()
    answer = stage.call("POST", stage.first, body)
    said = answer.json()
    assert (answer.status_code, said["applied"], said["created"], said["role"]) == (200, False, False, "owner")
    assert said["explanation"][0]["rule"] == "owner_report"
    assert stage.truth() == before
    drift = MembershipDrift.objects.get()
    assert (drift.product, drift.user, drift.drift_class, drift.reported) == (
        stage.red,
        stage.first,
        "owner_reported",
        role,
    )


@pytest.mark.parametrize("is_last", [False, True], ids=["one of two", "the last"])
def test_no_product_removes_an_owner(stage: Stage, is_last: bool) -> None:
    if is_last:
        member_remove(
            console_context(), organization_id=OrganizationId(stage.organization.pk), user_id=UserId(stage.second.pk)
        )
    before = stage.truth()
    answer = stage.call("DELETE", stage.first)
    assert (answer.status_code, answer.json()["applied"]) == (200, False)
    assert answer.json()["explanation"][0]["rule"] == "owner_report"
    assert stage.truth() == before
    assert MembershipDrift.objects.get().reported == "removed"


def test_repeated_reports_are_one_row_with_the_latest(stage: Stage) -> None:
    for role in ("admin", "admin", "viewer"):
        assert stage.call("POST", stage.first, {"role": role}).status_code == 200
    drift = MembershipDrift.objects.get()
    assert (drift.reported, drift.first_seen_at < drift.last_seen_at) == ("viewer", True)


def test_a_product_that_agrees_is_no_drift_and_grants_nothing(stage: Stage) -> None:
    before = stage.truth()
    agreed = stage.call("POST", stage.first, {"role": "owner"})
    assert (agreed.status_code, agreed.json()["applied"]) == (200, False)
    for user in (make_user(), self_made_member(stage)):
        before = stage.truth()
        answer = stage.call("POST", user, {"role": "owner"})
        assert (answer.status_code, answer.json()["code"]) == (403, "owner_not_grantable")
        assert stage.truth() == before
    assert MembershipDrift.objects.count() == 0


def self_made_member(stage: Stage) -> User:
    user = make_user()
    make_membership(stage.organization, user, MembershipRole.ADMIN)
    return user


@pytest.mark.parametrize("how", ["identity", "staff"])
def test_who_may_changes_an_owner_and_the_drift_is_settled(stage: Stage, how: str) -> None:
    stage.call("POST", stage.first, {"role": "viewer"})
    assert MembershipDrift.objects.count() == 1
    context = identity_context(stage.identity) if how == "identity" else console_context()
    ids = {"organization_id": OrganizationId(stage.organization.pk), "user_id": UserId(stage.first.pk)}
    outcome = member_upsert(context, role=MembershipRole.ADMIN, **ids)  # type: ignore[arg-type]
    assert (outcome.is_applied, outcome.record.role) == (True, "admin")
    assert MembershipDrift.objects.count() == 0
    # Now no owner any more, and the product's reports count again.
    assert stage.call("POST", stage.first, {"role": "viewer"}).json()["applied"] is True


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_last_owner_stays_whoever_asks(stage: Stage, method: str) -> None:
    assert stage.call("DELETE", stage.second, by="identity").status_code == 204
    before = stage.truth()
    answer = stage.call(method, stage.first, {"role": "viewer"}, by="identity")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    assert stage.truth() == before


def test_a_removal_is_remembered_with_its_own_time(stage: Stage) -> None:
    user = self_made_member(stage)
    Membership.objects.filter(user=user).update(role_changed_at=clock.now() - timedelta(days=3))
    removed_at = clock.now() - timedelta(days=1)
    older = (clock.now() - timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    stale = stage.call("DELETE", user, query=f"?changed_at={older}")
    assert (stale.status_code, stale.json()["applied"]) == (200, False)
    assert stale.json()["explanation"][0]["rule"] == "newer_news"
    moment = removed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert stage.call("DELETE", user, query=f"?changed_at={moment}").status_code == 204
    # Older than the removal, and at the very same time: the removal wins.
    for text in (older, moment):
        late = stage.call("POST", user, {"role": "admin", "changed_at": text}).json()
        assert (late["applied"], late["created"], late["explanation"][0]["rule"]) == (False, False, "newer_news")
    assert not Membership.objects.filter(user=user).exists()
    assert stage.call("POST", user, {"role": "admin"}).status_code == 201


@pytest.mark.parametrize("text", ["yesterday", "2026-04-03T10:00:00", "", "9" * 400])
def test_a_time_that_is_none_is_refused_by_name(stage: Stage, text: str) -> None:
    user = self_made_member(stage)
    before = stage.truth()
    answer = stage.call("DELETE", user, query=f"?changed_at={text}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "changed_at")
    assert stage.truth() == before


def test_a_removal_without_a_time_is_the_newest_news(stage: Stage) -> None:
    user = self_made_member(stage)
    # The reporter's clock was ahead of ours when it told the role.
    Membership.objects.filter(user=user).update(role_changed_at=clock.now() + timedelta(minutes=4))
    assert stage.call("DELETE", user).status_code == 204


ROLES = list(MembershipRole)


@pytest.mark.parametrize("seconds", [-1, 0, 1])
@pytest.mark.parametrize(("stored", "reported"), list(itertools.product(ROLES, [*ROLES, None])))
def test_the_rule_by_itself(stored: MembershipRole, reported: MembershipRole | None, seconds: int) -> None:
    now = clock.now()
    verdict = judge(
        stored_role=stored, stored_at=now, role=reported, changed_at=now + timedelta(seconds=seconds),
        may_change_owners=False,
    )  # fmt: skip
    if stored == MembershipRole.OWNER:
        assert verdict is (ReportOutcome.AGREED if reported == stored else ReportOutcome.NOT_THEIRS)
    elif seconds < 0:
        assert verdict is ReportOutcome.STALE
    elif reported is None:
        assert verdict is ReportOutcome.APPLY
    else:
        assert verdict is not ReportOutcome.NOT_THEIRS
    removed_at = now
    assert is_outlived(changed_at=now + timedelta(seconds=seconds), removed_at=removed_at) == (seconds <= 0)


def walk(stage: Stage, limit: int) -> list[str]:
    """The ids of the whole list, page by page."""
    found: list[str] = []
    cursor = ""
    while True:
        path = f"{API}/organizations/{stage.organization.pk}/members?limit={limit}{cursor}"
        page = Client().get(path, headers={"authorization": f"Bearer {stage.tokens['red']}"}).json()
        assert set(page) == {"members", "next_cursor"}
        found += [member["user_id"] for member in page["members"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 2, 5, 200])
def test_the_list_of_members_has_each_once_in_order(stage: Stage, limit: int) -> None:
    for _ in range(3):
        self_made_member(stage)
    wanted = sorted(Membership.objects.filter(organization=stage.organization).values_list("user", flat=True))
    assert walk(stage, limit) == [str(user_id) for user_id in wanted]


def test_the_list_is_read_with_few_queries_whatever_its_length(
    stage: Stage, django_assert_max_num_queries: Any
) -> None:
    walk(stage, 200)
    for _ in range(20):
        self_made_member(stage)
    with django_assert_max_num_queries(2):
        assert len(walk(stage, 200)) == 22


def test_a_foreign_cursor_is_refused(stage: Stage) -> None:
    other = make_organization(owner=make_user())
    make_product("red", other)
    headers = {"authorization": f"Bearer {stage.tokens['red']}"}
    cursor = Client().get(f"{API}/organizations/{stage.organization.pk}/members?limit=1", headers=headers).json()
    path = f"{API}/organizations/{other.pk}/members?cursor={cursor['next_cursor']}"
    assert Client().get(path, headers=headers).status_code == 400


MAY_SEE = {"owner": 200, "viewer": 200, "stranger": 403, "absent": 403, "former": 403}


@pytest.mark.parametrize("who", MAY_SEE)
def test_the_balance_says_whether_a_person_may_see_it(stage: Stage, who: str) -> None:
    organization_id = OrganizationId(stage.organization.pk)
    user = make_user()
    if who in {"viewer", "former"}:
        make_membership(stage.organization, user, MembershipRole.VIEWER)
    if who == "former":
        member_remove(console_context(), organization_id=organization_id, user_id=UserId(user.pk))
    acting = {"owner": stage.first.pk, "absent": uuid.uuid4()}.get(who, user.pk)
    path = f"{API}/accounts/organization/{organization_id}/balance?acting_user_id={acting}"
    answer = Client().get(path, headers={"authorization": f"Bearer {stage.tokens['red']}"})
    assert answer.status_code == MAY_SEE[who]
    if answer.status_code == 403:
        problem = answer.json()
        assert (problem["code"], problem["explanation"][0]["rule"]) == ("not_a_member", "membership")
        assert "balance" not in problem


def test_a_personal_balance_is_seen_by_the_person_alone(stage: Stage) -> None:
    person = make_user()
    User.objects.filter(pk=person.pk).update(created_by_product=stage.red)
    headers = {"authorization": f"Bearer {stage.tokens['red']}"}
    path = f"{API}/accounts/user/{person.pk}/balance?acting_user_id="
    grant = {
        "idempotency_key": "g",
        "account": {"type": "user", "id": str(person.pk)},
        "grant_type": "bonus",
        "amount": "1",
    }
    for _ in range(2):
        assert Client().get(path + str(person.pk), headers=headers).status_code == 200
        assert Client().get(path + str(stage.first.pk), headers=headers).json()["code"] == "not_a_member"
        Client().post(f"{API}/credits:grant", grant, content_type="application/json", headers=headers)
    assert Client().get(path + "nobody", headers=headers).status_code == 400
