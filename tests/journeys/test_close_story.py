"""A customer leaves and comes back, over real HTTP: what the product, the members and staff are told at each step."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests
from pytest_django.live_server_helper import LiveServer

from apps.core.enums import MembershipRole, Role
from apps.core.models import AuditEntry
from apps.tenants.models import User
from tests.backoffice.people import sign_in
from tests.connectors.cast import activate, make_connector, statuses
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_membership, make_signing_in_user, make_staff, make_token, make_workspace
from tests.markup import Page

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey]
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


class Browser:
    """A signed-in person; their cookies are taken to the real server."""

    def __init__(self, server: LiveServer, user: User, *, is_staff: bool = False) -> None:
        from django.test import Client  # noqa: PLC0415 - only to sign in

        client = Client()
        if is_staff:
            sign_in(client, user)
        else:
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        self.url, self.session = server.url, requests.Session()
        for name, morsel in client.cookies.items():
            self.session.cookies.set(name, morsel.value)

    def see(self, path: str) -> tuple[int, str]:
        answer = self.session.get(self.url + path, timeout=20)
        return answer.status_code, Page(answer.text).text

    def post(self, path: str, **fields: str) -> str:
        page = self.session.get(self.url + path, timeout=20).text
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None
        body = {"csrfmiddlewaretoken": found.group(1), **fields}
        answer = self.session.post(self.url + path, body, headers={"Referer": self.url}, timeout=20)
        assert answer.status_code == 200
        return answer.text

    def act(self, path: str, **fields: str) -> str:
        """Preview and apply; the page that it leads to."""
        found = _TOKEN.search(self.post(path, step="preview", **fields))
        assert found is not None
        return Page(self.post(path, step="apply", token=found.group(1), **fields)).text


class Story:
    """One customer of a product, at a real server."""

    def __init__(self, server: LiveServer) -> None:
        self.place: Place = make_place(whole_credits=20)
        self.workspace = make_workspace(self.place.organization)
        activate(self.workspace)
        self.connector = make_connector(self.workspace)
        self.server, self.token = server, make_token(self.place.product)
        people = {role: make_signing_in_user() for role in (MembershipRole.OWNER, MembershipRole.MEMBER)}
        for role, person in people.items():
            make_membership(self.place.organization, person, role)
        self.owner, self.member = (Browser(server, person) for person in people.values())
        self.staff = Browser(server, make_staff(Role.BILLING_OPERATIONS), is_staff=True)

    def product(self, path: str, **body: Any) -> tuple[int, Any]:
        answer = requests.post(
            f"{self.server.url}/api/v1/internal/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=20,
        )
        return answer.status_code, answer.json()

    def asked(self, key: str, **values: Any) -> dict[str, Any]:
        account = {"type": "organization", "id": str(self.place.organization.pk)}
        return {
            "idempotency_key": key,
            "account": account,
            "workspace_id": str(self.workspace.pk),
            "operation": "unit",
            "quantity": "2",
            **values,
        }

    def run(self, key: str) -> tuple[int, Any]:
        return self.product("credits:consume", **self.asked(key, outcome="succeeded"))

    def page(self, name: str) -> str:
        return f"/billing/{self.workspace.slug}/{name}/"

    def verb(self, name: str) -> str:
        return f"/admin/tenants/organization/{self.place.organization.pk}/{name}/"


@pytest.fixture
def story(live_server: LiveServer) -> Story:
    return Story(live_server)


def members_read_on(story: Story) -> None:
    """An owner everything, the others what is to be paid; each is told until when it can be reopened."""
    for page in ("overview", "invoices", "credits"):
        status, text = story.owner.see(story.page(page))
        assert (status, "This organization is closed" in text) == (200, True), page
    assert story.owner.see(f"{story.page('credits')}entries.csv")[0] == 200
    status, text = story.member.see(story.page("overview"))
    assert status == 403
    assert "To reopen it, an owner contacts our billing team before" in text
    assert story.member.see(story.page("invoices"))[0] == 200


def test_a_customer_leaves_and_comes_back(story: Story) -> None:
    assert story.run("before")[0] == 201
    _, held = story.product("credits:authorize", **story.asked("hold", hold={"ttl_seconds": 3600}))

    refused = Page(story.staff.post(story.verb("close"), step="preview", reason="They left.")).text
    assert "1 hold of 2 credits" in refused
    told = story.staff.act(story.verb("close"), reason="They left.", is_forced="on")
    assert "is closed. It can be reopened until" in told

    status, problem = story.run("while closed")
    assert (status, problem["code"]) == (403, "lifecycle_denied")
    assert "organization_closed" in {step["rule"] for step in problem["explanation"]}
    grant = {key: value for key, value in story.asked("grant").items() if key in {"idempotency_key", "account"}}
    status, problem = story.product("credits:grant", **grant, grant_type="bonus", amount="5")
    assert (status, problem["code"]) == (409, "organization_closed")
    hold = f"holds/{held['hold']['id']}:capture"
    assert story.product(hold, idempotency_key="capture", outcome="succeeded")[0] == 201
    assert statuses(story.connector) == ["auto_disabled"]

    members_read_on(story)

    assert "is open again" in story.staff.act(story.verb("reopen"), reason="They came back.")
    assert story.run("while closed")[0] == 201
    assert statuses(story.connector) == ["enabled"]
    status, text = story.member.see(story.page("overview"))
    assert (status, "This organization is closed" in text) == (200, False)
    events = ["organization.closed", "connector.auto_disabled", "organization.reopened", "connector.restored"]
    kept = AuditEntry.objects.filter(organization_id=story.place.organization.pk).values_list("event", flat=True)
    assert [event for event in events if event not in set(kept)] == []
