"""A product's story over real HTTP: it provisions a customer, reports members, and is told what it may not do."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from apps.core.enums import Scope
from apps.core.models import AuditEntry, OutboxItem
from apps.tenants.models import Membership, Organization
from tests.factories.tenants import make_organization, make_product, make_token

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey]

EARLIER, LATER = "2026-04-03T09:30:00Z", "2026-04-04T09:30:00+02:00"


class Product:
    """A product as its engineers would write it: a token and an address."""

    def __init__(self, address: str, token: str) -> None:
        self.base = f"{address}/api/v1/internal"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        answer = self.session.request(method, f"{self.base}/{path}", json=body, timeout=10)
        assert answer.headers["X-Request-ID"]
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
def red(live_server: LiveServer) -> Product:
    return Product(live_server.url, make_token(make_product("red")))


def test_a_product_provisions_a_customer_and_reports_its_members(red: Product) -> None:
    user, organization, workspace = (str(uuid.uuid4()) for _ in range(3))
    person = {"id": user, "email": "ann@example.com", "name": "Ann Smith"}
    team = {"id": organization, "name": "Northwind", "kind": "team", "time_zone": "Europe/Berlin"}
    room = {"id": workspace, "organization_id": organization, "name": "Production"}
    for path, body in (("users:upsert", person), ("organizations:upsert", team), ("workspaces:upsert", room)):
        status, answer = red.call("POST", path, body)
        assert (status, answer["created"]) == (201, True)
        status, answer = red.call("POST", path, body)
        assert (status, answer["created"]) == (200, False)

    members = f"organizations/{organization}/members"
    later = {"user_id": user, "role": "admin", "changed_at": LATER}
    status, answer = red.call("POST", f"{members}:upsert", later)
    assert status == 201
    assert answer == {
        "organization_id": organization,
        "user_id": user,
        "role": "admin",
        "changed_at": "2026-04-04T07:30:00Z",
        "created": True,
        "applied": True,
        "explanation": [],
    }
    assert red.call("POST", f"{members}:upsert", later)[0] == 200

    status, answer = red.call("POST", f"{members}:upsert", {**later, "role": "viewer", "changed_at": EARLIER})
    assert (status, answer["applied"], answer["role"]) == (200, False, "admin")

    assert red.call("DELETE", f"{members}/{user}") == (204, None)
    status, problem = red.call("GET", f"{members}/{user}")
    assert (status, problem["code"]) == (404, "not_found")
    assert user in problem["explanation"][0]["fact"]
    assert red.call("DELETE", f"{members}/{user}")[0] == 404

    _says_who_did_what(organization)


def _says_who_did_what(organization: str) -> None:
    entries = AuditEntry.objects.filter(organization_id=organization).order_by("sequence")
    assert list(entries.values_list("event", flat=True)) == [
        "organization.created",
        "payment_config.created",
        "credit_account.created",
        "workspace.created",
        "membership.created",
        "membership.removed",
    ]
    assert {entry.actor_label for entry in entries} == {"red"}
    assert OutboxItem.objects.filter(organization_id=organization).count() == 2


def test_a_misspelt_field_is_refused_with_its_suggestion_and_nothing_is_made(red: Product) -> None:
    body = {"id": str(uuid.uuid4()), "name": "Northwind", "kind": "team", "time_zne": "Europe/Berlin"}
    status, problem = red.call("POST", "organizations:upsert", body)
    assert (status, problem["status"], problem["code"]) == (400, 400, "malformed_request")
    assert problem["errors"] == [
        {
            "field": "time_zne",
            "code": "unknown_field",
            "message": "unknown field `time_zne`; did you mean `time_zone`?",
            "suggestion": "time_zone",
        }
    ]
    assert not Organization.objects.exists()


def test_another_products_organization_is_refused_with_the_explanation(red: Product) -> None:
    theirs = make_organization("Theirs")
    member = {"user_id": str(uuid.uuid4()), "role": "member"}
    for method, path, body in (
        ("POST", f"organizations/{theirs.pk}/members:upsert", member),
        ("GET", f"organizations/{theirs.pk}/members/{member['user_id']}", None),
        ("POST", "organizations:upsert", {"id": str(theirs.pk), "name": "Mine now", "kind": "team"}),
        ("POST", "workspaces:upsert", {"id": str(uuid.uuid4()), "organization_id": str(theirs.pk), "name": "W"}),
    ):
        status, problem = red.call(method, path, body)
        assert (status, problem["code"]) == (403, "product_not_related")
        assert problem["explanation"][0]["record"] == f"organization:{theirs.pk}"
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"
    assert not Membership.objects.exists()


def test_a_workspace_does_not_move_to_another_organization(red: Product) -> None:
    ids = [str(uuid.uuid4()) for _ in range(2)]
    for name, organization in zip(("One", "Two"), ids, strict=True):
        red.call("POST", "organizations:upsert", {"id": organization, "name": name, "kind": "team"})
    room = {"id": str(uuid.uuid4()), "organization_id": ids[0], "name": "Production"}
    assert red.call("POST", "workspaces:upsert", room)[0] == 201
    status, problem = red.call("POST", "workspaces:upsert", {**room, "organization_id": ids[1]})
    assert (status, problem["code"]) == (400, "tenant_ambiguous")
    assert ids[0] in problem["detail"]
    assert ids[1] in problem["detail"]


def test_the_identity_service_relates_a_product_and_nobody_else_does(live_server: LiveServer, red: Product) -> None:
    theirs, blue = make_organization("Theirs"), make_product("blue")
    identity = Product(live_server.url, make_token(make_product("identity"), Scope.TENANTS_MANAGE))
    path, body = f"organizations/{theirs.pk}/products:upsert", {"product": "blue"}
    assert red.call("POST", path, body)[0] == 403
    assert identity.call("POST", path, body)[0] == 201
    assert identity.call("POST", path, body)[0] == 200
    assert blue.relations.get().organization == theirs
    status, problem = identity.call("POST", path, {"product": "mauve"})
    assert (status, problem["code"]) == (422, "unknown_product")
