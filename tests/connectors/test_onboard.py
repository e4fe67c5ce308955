"""A key is tried before it is stored, by API as by page, and never shown (spec 06, Credentials)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.connectors.enums import AutoDisableReason, ConnectorStatus
from apps.connectors.models import Connector, ConnectorCredential, ConnectorEvent
from apps.connectors.services import (
    ConnectorParams,
    connector_auto_disable,
    connector_create,
    connector_credential_replace,
    connector_disable,
)
from apps.connectors.services.credentials import credential_open
from apps.core.errors import CountinghouseError, ForbiddenError, UnavailableError, UnprocessableError
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.tenants.models import Workspace
from tests.connectors.cast import id_of, make_active_workspace, make_connector, statuses, suspend
from tests.connectors.providers.stand_in import KEY
from tests.connectors.providers.test_usage_feed import STAND_IN
from tests.connectors.web import Web, put_up
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_product, make_token

WRONG = "a-wrong-key-of-the-tests-99b1"


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_active_workspace()


@pytest.fixture
def feed(web: Web, settings: Settings) -> Web:
    """A feed that knows the key."""
    put_up(web, STAND_IN, settings)
    return web


def params(feed: Web, api_key: str | None = KEY, **changes: Any) -> ConnectorParams:
    values: dict[str, Any] = {"provider": "usage_feed", "name": "Feed", "settings": STAND_IN.settings(feed.base)}
    return ConnectorParams(**{**values, "api_key": api_key} | changes)


def create(workspace: Workspace, given: ConnectorParams) -> Connector:
    return connector_create(console_context(), workspace_id=WorkspaceId(workspace.pk), params=given)


def nothing_was_stored() -> bool:
    return not (
        Connector.objects.exists()
        or ConnectorCredential.objects.exists()
        or ConnectorEvent.objects.exists()
        or AuditEntry.objects.filter(event__startswith="connector").exists()
    )


def test_a_good_key_is_stored_sealed_and_the_connector_runs(workspace: Workspace, feed: Web) -> None:
    connector = create(workspace, params(feed))
    secret = credential_open(id_of(connector))
    assert secret is not None
    assert (connector.status, secret.reveal()) == ("enabled", KEY)
    stored = ConnectorCredential.objects.get()
    assert KEY.encode() not in bytes(stored.ciphertext)
    assert stored.last_four == KEY[-4:]
    assert [asked.query for asked in feed.asked] == [{"check": "1"}]
    assert list(ConnectorEvent.objects.order_by("pk").values_list("kind", flat=True)) == [
        "created",
        "credential_stored",
    ]


def test_a_wrong_key_is_told_and_nothing_is_stored(workspace: Workspace, feed: Web) -> None:
    with pytest.raises(UnprocessableError) as caught:
        create(workspace, params(feed, WRONG))
    assert caught.value.problem_code == "credential_refused"
    assert "refused the credential (401)" in caught.value.detail
    assert WRONG not in repr(caught.value) + caught.value.detail + repr(caught.value.errors)
    assert nothing_was_stored()


@pytest.mark.parametrize(
    ("failing", "error"), [((503, {}, b""), UnavailableError), ((404, {}, b""), UnprocessableError)]
)
def test_an_outage_is_no_refusal(workspace: Workspace, feed: Web, failing: Any, error: type[Exception]) -> None:
    feed.failing = failing
    with pytest.raises(error) as caught:
        create(workspace, params(feed))
    assert isinstance(caught.value, CountinghouseError)
    assert caught.value.problem_code != "credential_refused"
    assert nothing_was_stored()


def test_without_a_key_it_waits(workspace: Workspace, feed: Web) -> None:
    connector = create(workspace, params(feed, None))
    assert connector.status == "pending"
    assert feed.asked == []
    connector_credential_replace(console_context(), connector_id=id_of(connector), api_key=f" {KEY}\n")
    assert statuses(connector) == ["enabled"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"provider": "nobody"}, "unknown_provider"),
        ({"provider": "demo", "settings": {}, "api_key": None}, "demo_only"),
        ({"name": "  "}, "required"),
        ({"settings": {}}, "malformed_request"),
        ({"settings": {"base_ur": "https://feed.example.com/"}}, "malformed_request"),
        ({"settings": {"base_url": "https://10.0.0.1/"}}, "impossible_value"),
        ({"api_key": "short"}, "credential_unusable"),
        ({"api_key": "two words here"}, "credential_unusable"),
        ({"api_key": "line\nbreak-in-it"}, "credential_unusable"),
    ],
    ids=str,
)
def test_what_can_not_be_is_said_before_anybody_is_asked(
    workspace: Workspace, feed: Web, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(CountinghouseError) as caught:
        create(workspace, params(feed, changes.pop("api_key", KEY), **changes))
    assert caught.value.problem_code == code
    assert feed.asked == []
    assert nothing_was_stored()


def test_a_name_is_used_once_in_a_workspace(workspace: Workspace, feed: Web) -> None:
    create(workspace, params(feed))
    with pytest.raises(CountinghouseError) as caught:
        create(workspace, params(feed))
    assert caught.value.problem_code == "connector_name_taken"
    assert Connector.objects.count() == 1


def test_in_a_demo_a_key_is_taken_without_asking_anybody(db: None, feed: Web) -> None:
    demo = make_active_workspace(is_demo=True)
    assert create(demo, params(feed)).status == "enabled"
    assert create(demo, params(feed, None, provider="demo", name="Sample", settings={})).status == "enabled"
    assert feed.asked == []


def test_where_the_lifecycle_says_no_nobody_is_asked(db: None, feed: Web) -> None:
    workspace = make_active_workspace()
    suspend(workspace)
    with pytest.raises(ForbiddenError) as caught:
        create(workspace, params(feed))
    assert caught.value.problem_code == "lifecycle_denied"
    assert feed.asked == []
    assert nothing_was_stored()


def test_a_new_key_replaces_the_old_one_and_mends(workspace: Workspace, feed: Web) -> None:
    connector = create(workspace, params(feed))
    connector_auto_disable(
        console_context(), connector_id=id_of(connector), reason=AutoDisableReason.CREDENTIAL_INVALID
    )
    with pytest.raises(UnprocessableError):
        connector_credential_replace(console_context(), connector_id=id_of(connector), api_key=WRONG)
    assert statuses(connector) == ["auto_disabled"]
    connector_credential_replace(console_context(), connector_id=id_of(connector), api_key=KEY)
    assert statuses(connector) == ["enabled"]
    assert ConnectorCredential.objects.get().revision == 2


def test_a_key_does_not_enable_what_a_person_disabled(workspace: Workspace, feed: Web) -> None:
    connector = create(workspace, params(feed))
    connector_disable(staff_context(), connector_id=id_of(connector), reason="not now")
    connector_credential_replace(console_context(), connector_id=id_of(connector), api_key=KEY)
    assert statuses(connector) == ["disabled"]


def test_a_provider_without_keys_takes_none(workspace: Workspace) -> None:
    connector = make_connector(workspace, ConnectorStatus.ENABLED, provider="demo")
    with pytest.raises(UnprocessableError, match="takes no API key"):
        connector_credential_replace(console_context(), connector_id=id_of(connector), api_key=KEY)


def call(token: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = Client().generic(
        method,
        f"/api/v1/internal/{path}",
        json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    )
    return answer.status_code, json.loads(answer.content)


def test_the_whole_story_over_http(workspace: Workspace, feed: Web) -> None:
    token = make_token(make_product("red", workspace.organization))
    body = {"provider": "usage_feed", "name": "Feed", "settings": STAND_IN.settings(feed.base), "api_key": WRONG}
    status, problem = call(token, "POST", f"workspaces/{workspace.pk}/connectors", body)
    assert (status, problem["code"]) == (422, "credential_refused")
    assert WRONG not in json.dumps(problem)
    status, made = call(token, "POST", f"workspaces/{workspace.pk}/connectors", {**body, "api_key": KEY})
    assert (status, made["status"], made["credential"]["last_four"]) == (201, "enabled", KEY[-4:])
    where = f"connectors/{made['id']}"
    assert call(token, "POST", f"{where}:enable", {"reason": "again"})[0] == 409
    assert call(token, "POST", f"{where}:disable", {"reason": "moving"})[1]["status"] == "disabled"
    assert call(token, "POST", f"{where}:disable", {"reason": "moving"})[0] == 409
    assert call(token, "POST", f"{where}:enable", {"reason": "moved"})[1]["status"] == "enabled"
    assert call(token, "PUT", f"{where}/credential", {"api_key": WRONG})[0] == 422
    assert call(token, "PUT", f"{where}/credential", {"api_key": KEY})[0] == 200
    _, detail = call(token, "GET", where)
    assert [event["kind"] for event in reversed(detail["timeline"])] == [
        "created",
        "credential_stored",
        "disabled",
        "enabled",
        "credential_replaced",
    ]
    _, page = call(token, "GET", f"workspaces/{workspace.pk}/connectors")
    assert [row["id"] for row in page["items"]] == [made["id"]]
    assert KEY not in json.dumps([made, detail, page])
