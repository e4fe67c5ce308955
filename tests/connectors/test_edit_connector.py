"""Editing, moving, trying and removing a connector, by service, API and page (spec 06, Connector; spec 09)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.models import BillingRecord, Connector, ConnectorCredential, ConnectorEvent
from apps.connectors.services import ConnectorChanges, connector_enable, connector_remove, connector_update
from apps.connectors.services.credentials import credential_open
from apps.connectors.services.lifecycle import START_TASK
from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.errors import CountinghouseError, NotFoundError
from apps.core.models import AuditEntry
from apps.tenants.models import Workspace
from tests.connectors.cast import begin_grace, id_of, make_active_workspace, suspend
from tests.connectors.providers.stand_in import KEY, reply
from tests.connectors.providers.test_usage_feed import STAND_IN, record
from tests.connectors.test_onboard import create, params
from tests.connectors.web import Web, put_up
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_product, make_signing_in_user, make_token

Sent = list[tuple[str, tuple[str, ...]]]
OTHER_KEY = "another-key-of-the-tests-77c0"


@pytest.fixture
def feed(web: Web, settings: Settings) -> Web:
    put_up(web, STAND_IN, settings)
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1", "localhost"]
    return web


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_active_workspace()


@pytest.fixture
def connector(workspace: Workspace, feed: Web) -> Connector:
    found = create(workspace, params(feed))
    feed.asked.clear()
    return found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The wake-ups, as if each transaction were over at once."""
    found: Sent = []
    monkeypatch.setattr(
        "apps.connectors.services.lifecycle.wake_after_commit", lambda task, *given: found.append((task, given))
    )
    return found


def facts(connector: Connector) -> tuple[Any, ...]:
    found = Connector.objects.get(pk=connector.pk)
    secret = credential_open(id_of(connector))
    told = ConnectorEvent.objects.filter(connector=connector).count(), AuditEntry.objects.count()
    return found.name, found.settings, found.status, found.removed_at, secret and secret.reveal(), *told


def change(connector: Connector, **changes: Any) -> Connector:
    return connector_update(console_context(), connector_id=id_of(connector), changes=ConnectorChanges(**changes))


def test_a_new_connector_is_read_at_once(workspace: Workspace, feed: Web, sent: Sent) -> None:
    connector = create(workspace, params(feed))
    assert sent == [(START_TASK, (str(connector.pk),))]


def test_another_name_asks_nobody_and_keeps_the_old_one_free(connector: Connector, feed: Web, sent: Sent) -> None:
    change(connector, name="Berlin")
    assert (facts(connector)[0], feed.asked, sent) == ("Berlin", [], [])
    assert ConnectorEvent.objects.latest("pk").sentence == "Renamed from Feed to Berlin."
    assert create(connector.workspace, params(feed)).name == "Feed"


def test_another_address_is_tried_with_the_stored_key_and_read_anew(
    connector: Connector, feed: Web, sent: Sent
) -> None:
    change(connector, settings={"base_url": f"{feed.base}/moved", "format": "csv"})
    assert [(asked.path, asked.headers["authorization"]) for asked in feed.asked] == [("/moved", f"Bearer {KEY}")]
    assert facts(connector)[1]["base_url"] == f"{feed.base}/moved"
    assert sent == [(START_TASK, (str(connector.pk),))]
    assert ConnectorEvent.objects.latest("pk").sentence == "Changed: base_url, format."


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "required"),
        ({"name": "Taken"}, "connector_name_taken"),
        ({"settings": {}}, "malformed_request"),
        ({"settings": {"base_url": "https://feed.example.com/", "formt": "csv"}}, "malformed_request"),
        ({"settings": {"base_url": "https://10.0.0.1/"}}, "impossible_value"),
        # The stored key would go to whoever is there.
        ({"settings": {"base_url": "https://other.example.com/feed"}}, "credential_required"),
        ({"api_key": OTHER_KEY}, "credential_refused"),
        ({"api_key": "short"}, "credential_unusable"),
    ],
    ids=str,
)
def test_what_can_not_be_changes_nothing(connector: Connector, feed: Web, changes: dict[str, Any], code: str) -> None:
    create(connector.workspace, params(feed, name="Taken"))
    before = facts(connector)
    with pytest.raises(CountinghouseError) as caught:
        change(connector, **changes)
    assert caught.value.problem_code == code
    assert facts(connector) == before


def test_a_misspelt_setting_has_a_suggestion_and_400(connector: Connector, feed: Web) -> None:
    token = make_token(make_product("red", connector.workspace.organization))
    path = reverse("connector", args=[connector.pk])
    sent = {"settings": {"base_url": f"{feed.base}/feed", "fromat": "csv", "default_categry": "free"}}
    answer = Client().patch(path, sent, "application/json", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 400
    assert [(error["field"], error["code"], error["suggestion"]) for error in answer.json()["errors"]] == [
        ("settings.fromat", "unknown_field", "format"),
        ("settings.default_categry", "unknown_field", "default_category"),
    ]


def test_an_address_that_does_not_answer_changes_nothing(connector: Connector, feed: Web) -> None:
    before, feed.failing = facts(connector), (404, {}, b"")
    with pytest.raises(CountinghouseError) as caught:
        change(connector, name="New", settings={"base_url": f"{feed.base}/nowhere"})
    assert caught.value.problem_code == "check_failed"
    assert facts(connector) == before


def test_another_host_is_taken_with_its_key(connector: Connector, feed: Web) -> None:
    address = feed.base.replace("127.0.0.1", "localhost") + "/feed"
    with pytest.raises(CountinghouseError) as caught:
        change(connector, settings={"base_url": address})
    assert (caught.value.problem_code, feed.asked) == ("credential_required", [])
    change(connector, settings={"base_url": address}, api_key=KEY)
    assert facts(connector)[1]["base_url"] == address


def test_a_removed_connector_is_nowhere_but_in_its_records(connector: Connector, feed: Web) -> None:
    BillingRecord.objects.create(
        connector=connector,
        external_id="r-1",
        month="2026-04",
        kind="cost",
        category="free",
        occurred_at="2026-04-03T00:00:00Z",
        raw={},
        digest=b"",
        seen_by=connector.pk,
        first_seen_at="2026-04-03T00:00:00Z",
        changed_at="2026-04-03T00:00:00Z",
    )
    token = make_token(make_product("red", connector.workspace.organization))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    path = reverse("connector", args=[connector.pk])
    assert Client().delete(path, headers=headers).status_code == 400
    assert facts(connector)[3] is None
    sent = json.dumps({"reason": "Moved away"})
    assert Client().delete(path, sent, "application/json", headers=headers).status_code == 204
    assert not ConnectorCredential.objects.filter(connector=connector).exists()
    for answer in (
        Client().get(path, headers=headers),
        Client().delete(path, sent, "application/json", headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_connector")
    listed = Client().get(reverse("connectors", args=[connector.workspace_id]), headers=headers)
    assert listed.json()["items"] == []
    for act in (connector_enable, connector_remove):
        with pytest.raises(NotFoundError):
            act(console_context(), connector_id=id_of(connector), reason="Again")
    client = signed_in(connector)
    slug = connector.workspace.slug
    assert "Feed (removed)" in client.get(reverse("billing-records", args=[slug])).content.decode()
    assert "Feed" not in client.get(reverse("billing-connectors", args=[slug])).content.decode()
    assert client.get(reverse("billing-connector", args=[slug, connector.pk])).status_code == 404
    assert BillingRecord.objects.count() == 1
    assert create(connector.workspace, params(feed)).name == "Feed"


def test_in_grace_a_key_is_replaced_and_nothing_else_is_edited(connector: Connector, feed: Web) -> None:
    """By service, API and page: a sync that runs in grace may need another key (spec 03, below the table)."""
    begin_grace(connector.workspace)
    token = make_token(make_product("red", connector.workspace.organization))
    headers = {"Authorization": f"Bearer {token}"}
    path = reverse("connector", args=[connector.pk])

    def send(method: str, where: str, body: dict[str, Any]) -> tuple[int, str]:
        answer = Client().generic(method, where, json.dumps(body), "application/json", headers=headers)
        return answer.status_code, answer.json().get("code", "")

    wishes: list[dict[str, Any]] = [{"name": "Other"}, {"settings": {}}, {"name": "Feed", "api_key": KEY}]
    for wish in wishes:
        before = facts(connector)
        assert send("PATCH", path, wish) == (403, "lifecycle_denied")
        assert facts(connector) == before
    assert feed.asked == []
    assert send("PUT", reverse("connector-credential", args=[connector.pk]), {"api_key": KEY}) == (200, "")
    assert send("PATCH", path, {"api_key": KEY}) == (200, "")
    client, place = signed_in(connector), [connector.workspace.slug, connector.pk]
    page = client.get(reverse("billing-connector", args=place)).content.decode()
    key_page = reverse("billing-connector-key", args=place)
    assert (key_page in page, reverse("billing-connector-edit", args=place) in page) == (True, False)
    assert client.post(key_page, {"api_key": KEY}).status_code == 302
    assert client.get(reverse("billing-connector-edit", args=place)).status_code == 403
    assert ConnectorCredential.objects.get().revision == 4
    suspend(connector.workspace)
    before = facts(connector)
    assert send("PATCH", path, {"api_key": KEY}) == (403, "lifecycle_denied")
    assert client.post(key_page, {"api_key": KEY}).status_code == 403
    assert facts(connector)[:5] == before[:5]


def signed_in(connector: Connector) -> Client:
    admin = make_signing_in_user()
    make_membership(connector.workspace.organization, admin, MembershipRole.ADMIN)
    client = Client()
    client.force_login(admin)
    return client


def test_the_edit_page_keeps_what_is_not_typed_and_shows_what_is_wrong(connector: Connector, feed: Web) -> None:
    client = signed_in(connector)
    path = reverse("billing-connector-edit", args=[connector.workspace.slug, connector.pk])
    page = client.get(path).content.decode()
    assert f"{feed.base}/feed" in page
    assert KEY not in page
    form = {"name": "Feed", "setting-base_url": f"{feed.base}/feed", "setting-header": "Authorization"}
    form |= {"setting-format": "csv", "setting-default_category": "free", "api_key": ""}
    assert client.post(path, form).status_code == 302
    assert facts(connector)[1]["format"] == "csv"
    refused = client.post(path, form | {"setting-base_url": "https://other.example.com/"})
    assert refused.status_code == 422
    assert "Give the key again" in refused.content.decode()


def test_the_test_page_shows_the_answer_and_what_was_understood(connector: Connector, feed: Web) -> None:
    today = f"{clock.now():%Y-%m-%dT00:00:00Z}"
    feed.failing = reply({"records": [record(7, occurred_at=today, description="To \u202eliam")], "next_cursor": None})
    client = signed_in(connector)
    path = reverse("billing-connector-test", args=[connector.workspace.slug, connector.pk])
    page = client.post(path).content.decode()
    assert "1 record understood" in page
    assert "To [U+202E]liam" in page
    assert "\u202e" not in page
    assert "12.50 EUR" in page
    feed.failing = (200, {}, b"<html><script>alert(1)</script>")
    page = client.post(path).content.decode()
    assert "is a web page or XML, not JSON" in page
    assert "&lt;script&gt;" in page
    assert BillingRecord.objects.count() == 0
