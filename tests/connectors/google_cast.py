"""People on their way to Google and back: a real OAuth server, and a connector that waits for its authorization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.contracts import CheckResult
from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector, ConnectorCredential
from apps.connectors.providers.registry import provider_class
from apps.core.enums import MembershipRole
from apps.tenants.models import User, Workspace
from tests.connectors.cast import make_active_workspace, make_connector
from tests.counterparts.google import CLIENT_ID, CLIENT_SECRET, GoogleStandIn, google_stand_in
from tests.factories.tenants import make_membership, make_user

_BY_GOOGLE = [provider_class(name) for name in ("google_cloud", "google_sheets")]
SCOPES = sorted({scope for one in _BY_GOOGLE for scope in (*one.oauth_scopes, *one.write_scopes)})
CALLBACK = "http://testserver/connectors/google/callback"
SETTINGS = {
    "google_sheets": {"spreadsheet_id": "1-a-spreadsheet-of-the-tests"},
    "google_cloud": {"table": "billing-123.export.gcp_billing_export_v1", "project_id": "billing-123"},
}


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleStandIn]:
    with google_stand_in(redirect_uris=[CALLBACK], scopes=SCOPES) as stand_in:
        yield stand_in


@pytest.fixture
def configured(google: GoogleStandIn, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google_sheets", "google_cloud"):
        monkeypatch.setattr(provider_class(name), "check", lambda provider: CheckResult(provider.label))
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.GOOGLE_AUTHORIZE_URL, settings.GOOGLE_TOKEN_URL = google.authorize_url, google.token_url
    google.control(issueRefreshToken=True)


@dataclass(frozen=True)
class Place:
    """A workspace with a connector that waits for its authorization, and its admin in a browser."""

    workspace: Workspace
    connector: Connector
    admin: User
    browser: Client

    def begin(self, browser: Client | None = None, **query: str) -> str:
        asked = {"connector": str(self.connector.pk), **query}
        answer = (browser or self.browser).get(reverse("google-authorize"), asked)
        assert answer.status_code == 302, answer.content[:500]
        return str(answer.headers["Location"])

    def fingerprint(self) -> tuple[object, ...]:
        """What a refused answer must leave as it was."""
        row = Connector.objects.get(pk=self.connector.pk)
        credential = ConnectorCredential.objects.filter(connector=row).values_list("revision", "ciphertext").first()
        return row.status, row.version, credential and (credential[0], bytes(credential[1]))


def signed_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def make_place(provider: str = "google_sheets") -> Place:
    workspace = make_active_workspace()
    admin = make_user()
    make_membership(workspace.organization, admin, MembershipRole.ADMIN)
    connector = make_connector(workspace, ConnectorStatus.PENDING, provider)
    connector.settings = SETTINGS[provider]
    connector.save(update_fields=["settings"])
    return Place(workspace, connector, admin, signed_in(admin))


def come_back(browser: Client, address: str) -> int:
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}").status_code


def changed(address: str, **values: str) -> str:
    query = {name: found[0] for name, found in parse_qs(urlsplit(address).query).items()}
    return f"{CALLBACK}?{urlencode({**query, **values})}"
