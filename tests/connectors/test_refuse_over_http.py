"""Refusals about connectors and syncs over HTTP: each with its code, and nothing changed (spec 09)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import AuthorizationAttempt, Connector, ConnectorCredential, SyncRun
from apps.core import clock
from apps.core.enums import MembershipRole
from apps.tenants.models import Workspace
from tests.connectors.cast import make_active_workspace, make_connector
from tests.connectors.providers.stand_in import KEY
from tests.connectors.providers.test_usage_feed import STAND_IN
from tests.connectors.test_onboard import call
from tests.connectors.web import Web, put_up
from tests.factories.tenants import make_membership, make_product, make_signing_in_user, make_token

pytestmark = pytest.mark.django_db
NOBODY = uuid.UUID(int=7)


@pytest.fixture
def workspace() -> Workspace:
    return make_active_workspace()


@pytest.fixture
def token(workspace: Workspace) -> str:
    return make_token(make_product("red", workspace.organization))


def codes_of(problem: Any) -> set[str]:
    return {problem["code"], *(error["code"] for error in problem.get("errors", ()))}


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", f"connectors/{NOBODY}", None, "unknown_connector"),
        ("POST", f"connectors/{NOBODY}:enable", {"reason": "again"}, "unknown_connector"),
        ("POST", f"connectors/{NOBODY}/syncs", {"month": "auto"}, "unknown_connector"),
        ("GET", f"sync-runs/{NOBODY}", None, "unknown_sync_run"),
    ],
)
def test_what_is_not_there_is_named(token: str, method: str, path: str, body: Any, code: str) -> None:
    status, problem = call(token, method, path, body)
    assert (status, problem["code"]) == (404, code), problem


@pytest.mark.parametrize(
    ("status", "ahead", "answered", "code"),
    [
        (ConnectorStatus.ENABLED, timedelta(days=62), 422, "month_not_begun"),
        (ConnectorStatus.DISABLED, timedelta(0), 409, "connector_not_enabled"),
    ],
)
def test_a_sync_that_can_not_be_is_not_queued(
    token: str, workspace: Workspace, status: ConnectorStatus, ahead: timedelta, answered: int, code: str
) -> None:
    connector = make_connector(workspace, status)
    found, problem = call(token, "POST", f"connectors/{connector.pk}/syncs", {"month": f"{clock.now() + ahead:%Y-%m}"})
    assert (found, problem["code"]) == (answered, code), problem
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("month", ["nothing", "2026-13", "2026-00", "2026", "26-04"])
def test_a_month_that_is_none_is_refused(token: str, workspace: Workspace, month: str) -> None:
    connector = make_connector(workspace)
    status, problem = call(token, "POST", f"connectors/{connector.pk}/syncs", {"month": month})
    assert (status, codes_of(problem)) == (422, {"impossible_value"}), problem
    assert [error["field"] for error in problem["errors"]] == ["month"]
    assert not SyncRun.objects.exists()


def test_a_provider_that_does_not_know_the_settings_is_told(
    token: str, workspace: Workspace, web: Web, settings: Settings
) -> None:
    put_up(web, STAND_IN, settings)
    web.failing = (404, {}, b"")
    body = {"provider": "usage_feed", "name": "Feed", "settings": STAND_IN.settings(web.base), "api_key": KEY}
    status, problem = call(token, "POST", f"workspaces/{workspace.pk}/connectors", body)
    assert (status, problem["code"]) == (422, "check_failed")
    assert [error["field"] for error in problem["errors"]] == ["settings"]
    assert not Connector.objects.exists()


def test_a_provider_without_keys_takes_none(token: str, workspace: Workspace) -> None:
    connector = make_connector(workspace, provider="demo")
    status, problem = call(token, "PUT", f"connectors/{connector.pk}/credential", {"api_key": KEY})
    assert (status, problem["code"]) == (422, "credential_not_taken")
    assert not ConnectorCredential.objects.exists()


@pytest.mark.parametrize(
    ("provider", "status", "said"),
    [("stripe", 422, "is not authorized at Google"), ("google_sheets", 503, "GOOGLE_CLIENT_ID")],
)
def test_nobody_is_sent_to_google_for_nothing(
    workspace: Workspace, settings: Settings, provider: str, status: int, said: str
) -> None:
    settings.GOOGLE_CLIENT_ID = settings.GOOGLE_CLIENT_SECRET = ""
    admin = make_signing_in_user()
    make_membership(workspace.organization, admin, MembershipRole.ADMIN)
    browser = Client()
    browser.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    connector = make_connector(workspace, ConnectorStatus.PENDING, provider=provider)
    answer = browser.get(reverse("google-authorize"), {"connector": str(connector.pk)})
    assert answer.status_code == status
    assert said in answer.content.decode()
    assert not AuthorizationAttempt.objects.exists()
