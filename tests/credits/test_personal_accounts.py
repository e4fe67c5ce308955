"""Who may open or read a person's own account, and that nobody else learns of the person (spec 05, Account)."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from apps.core.amounts import MICRO
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, MembershipRole, Scope
from apps.core.ids import OrganizationId, ProductId, UserId
from apps.core.models import AuditEntry
from apps.credits.models import CreditEntry, CreditGrant
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_policy_publish_prices
from apps.tenants.models import Membership, Organization, Product, ProductRelation, User
from apps.tenants.personal_accounts import PersonalFacts, may_use_personal_account
from apps.tenants.services import member_remove, user_upsert
from tests.contexts import console_context, product_context
from tests.factories.tenants import make_membership, make_organization, make_product, make_token, make_user

pytestmark = pytest.mark.django_db
API = "/api/v1/internal"
TIES = ("creator", "shares", "both", "shared once", "stranger", "absent")
MAY = {"creator", "shares", "both"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A product with a token, and its ways of calling."""

    product: Product
    token: str

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.token}"}
        text = json.dumps(body) if body is not None else ""
        answer = Client().generic(method, f"{API}/{path}", text, content_type="application/json", headers=headers)
        document = json.loads(answer.content) if answer.content else None
        if isinstance(document, dict):
            document.pop("request_id", None)
        return answer.status_code, document


def make_caller(slug: str, *scopes: Scope) -> Caller:
    product = make_product(slug)
    prices = [Price("unit", "piece", MICRO)]
    credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=prices)
    return Caller(product, make_token(product, *scopes))


def person_of(caller: Caller, tie: str) -> uuid.UUID:
    """The id of a person who is bound to the product in this way."""
    if tie == "absent":
        return uuid.uuid4()
    maker = caller.product if tie in {"creator", "both"} else make_product("maker")
    user_id = UserId(uuid.uuid4())
    user_upsert(product_context(maker), user_id=user_id, email=f"{user_id.hex}@example.com", name="Ann")
    if tie in {"shares", "both", "shared once"}:
        organization = make_organization("Shared")
        make_product(caller.product.slug, organization)
        make_membership(organization, User.objects.get(pk=user_id), MembershipRole.VIEWER)
        if tie == "shared once":
            member_remove(console_context(), organization_id=OrganizationId(organization.pk), user_id=user_id)
    return user_id


def _asked(person: uuid.UUID) -> dict[str, Any]:
    return {"account": {"type": "user", "id": str(person)}, "operation": "unit", "quantity": "1"}


def _run(person: uuid.UUID) -> dict[str, Any]:
    return {**_asked(person), "idempotency_key": uuid.uuid4().hex, "outcome": "succeeded"}


def _grant(person: uuid.UUID) -> dict[str, Any]:
    account = {"type": "user", "id": str(person)}
    return {"idempotency_key": uuid.uuid4().hex, "account": account, "grant_type": "bonus", "amount": "0.000001"}


CALLS: dict[str, tuple[str, Callable[[uuid.UUID], str], Callable[[uuid.UUID], dict[str, Any]] | None, int]] = {
    "balance": ("GET", lambda person: f"accounts/user/{person}/balance", None, 200),
    "entries": ("GET", lambda person: f"accounts/user/{person}/entries", None, 200),
    "grant": ("POST", lambda person: "credits:grant", _grant, 201),
    "authorize": ("POST", lambda person: "credits:authorize", _asked, 200),
    # There are no credits yet: the caller got as far as that.
    "consume": ("POST", lambda person: "credits:consume", _run, 402),
}
RECORDS = (Organization, Membership, ProductRelation, CreditGrant, CreditEntry, AuditEntry)


def counted() -> list[int]:
    return [model._default_manager.count() for model in RECORDS]


@pytest.mark.parametrize(("tie", "name"), list(itertools.product(TIES, CALLS)))
def test_a_personal_account_is_for_the_creator_and_for_who_shares_an_organization(tie: str, name: str) -> None:
    caller = make_caller("blue")
    person = person_of(caller, tie)
    method, path, body, success = CALLS[name]
    before = counted()
    status, answer = caller.call(method, path(person), body(person) if body else None)
    if tie in MAY:
        assert status == success, answer
    else:
        assert (status, answer["code"]) == (404, "unknown_user")
        assert counted() == before


@pytest.mark.parametrize("name", CALLS)
def test_another_products_person_answers_as_one_who_does_not_exist(name: str) -> None:
    caller, method, path, body = make_caller("blue"), *CALLS[name][:3]
    answers = []
    for tie in ("stranger", "absent"):
        person = person_of(caller, tie)
        status, answer = caller.call(method, path(person), body(person) if body else None)
        answers.append((status, json.dumps(answer).replace(str(person), "")))
    assert answers[0] == answers[1]


def test_a_person_who_has_an_account_already_answers_no_differently() -> None:
    red, blue = make_caller("red"), make_caller("blue")
    person = person_of(red, "creator")
    assert red.call("POST", "credits:grant", _grant(person))[0] == 201
    missing = uuid.uuid4()
    for name, (method, path, body, _) in CALLS.items():
        there, absent = (blue.call(method, path(one), body(one) if body else None) for one in (person, missing))
        assert json.dumps(there).replace(str(person), "") == json.dumps(absent).replace(str(missing), ""), name
    assert red.call("GET", f"accounts/user/{person}/balance")[1]["balance"] == "0.000001"


def test_two_products_that_may_share_one_account_whichever_opened_it() -> None:
    red, blue = make_caller("red"), make_caller("blue")
    person = person_of(blue, "shares")
    User.objects.filter(pk=person).update(created_by_product=red.product)
    gift = {**_grant(person), "amount": "10"}
    assert blue.call("POST", "credits:grant", gift)[0] == 201
    for caller in (red, blue):
        assert caller.call("POST", "credits:consume", _run(person))[0] == 201
        held = caller.call("POST", "credits:authorize", {**_asked(person), "hold": {"ttl_seconds": 60},
                                                         "idempotency_key": uuid.uuid4().hex})[1]["hold"]  # fmt: skip
        used = {"idempotency_key": uuid.uuid4().hex, "outcome": "succeeded"}
        assert caller.call("POST", f"holds/{held['id']}:capture", used)[0] == 201
        # Named by its organization it is the same account.
        found = caller.call("GET", f"accounts/user/{person}/balance")[1]
        by_organization = caller.call("GET", f"accounts/organization/{found['organization_id']}/balance")
        assert (by_organization[0], by_organization[1]["balance"]) == (200, found["balance"])
    assert found["balance"] == "6"
    assert Organization.objects.filter(kind="individual").count() == 1
    green = make_caller("green")
    assert green.call("GET", f"accounts/organization/{found['organization_id']}/balance")[0] == 403


def test_a_product_makes_no_individual_organization_for_another_products_person() -> None:
    blue = make_caller("blue")
    person, before = person_of(blue, "stranger"), counted()
    body = {"id": str(uuid.uuid4()), "name": "Mine", "kind": "individual", "owner_user_id": str(person)}
    status, answer = blue.call("POST", "organizations:upsert", body)
    absent = blue.call("POST", "organizations:upsert", {**body, "owner_user_id": str(missing := uuid.uuid4())})
    assert (status, answer["code"]) == (422, "unknown_user")
    assert json.dumps(answer).replace(str(person), "") == json.dumps(absent[1]).replace(str(missing), "")
    assert counted() == before


def test_the_identity_service_may_speak_of_everybody_and_is_told_who_is_absent() -> None:
    identity = make_caller("identity", *DEFAULT_PRODUCT_SCOPES, Scope.TENANTS_MANAGE)
    person = person_of(identity, "stranger")
    assert identity.call("GET", f"accounts/user/{person}/balance")[0] == 200
    assert identity.call("POST", "credits:authorize", _asked(person))[0] == 200
    assert identity.call("GET", f"accounts/user/{uuid.uuid4()}/balance")[0] == 404


@pytest.mark.parametrize("facts", list(itertools.product([False, True], repeat=4)))
def test_the_rule_by_itself(facts: tuple[bool, bool, bool, bool]) -> None:
    exists, creator, shares, identity = facts
    allowed = may_use_personal_account(PersonalFacts(exists, creator, shares, identity))
    assert allowed == (exists and any((creator, shares, identity)))


def test_users_of_the_console_belong_to_no_product() -> None:
    person = make_user()
    assert make_caller("blue").call("GET", f"accounts/user/{person.pk}/balance")[0] == 404
