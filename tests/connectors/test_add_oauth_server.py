"""A second OAuth server is one file: its data and its provider go through the whole flow (README, Add one more)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import clear_url_caches, reverse
from pytest_django.fixtures import Settings

from apps.connectors import providers
from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import AuthorizationAttempt, Connector, ConnectorCredential
from apps.connectors.oauth.client import OAuthToken
from apps.connectors.providers.registry import oauth_servers, provider_classes
from apps.connectors.services.credentials import credential_open, secret_for_call
from apps.connectors.views.oauth import oauth_routes
from apps.core import clock
from billing_site import urls
from tests.connectors.cast import id_of, make_connector
from tests.connectors.google_cast import come_back, make_place
from tests.contexts import console_context
from tests.counterparts.google import CLIENT_ID, CLIENT_SECRET, GoogleStandIn, google_stand_in

CALLBACK = "http://testserver/connectors/acme/callback"
FOLDER = Path(__file__).parent / "second_server"


@pytest.fixture
def acme(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStandIn]:
    """The file lies among the providers, its client is configured, and a real OAuth server answers for it."""
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(FOLDER)])
    provider_classes.cache_clear()
    with google_stand_in(redirect_uris=[CALLBACK], scopes=["ledger.read"]) as stand_in:
        settings.ACME_CLIENT_ID, settings.ACME_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
        settings.ACME_AUTHORIZE_URL, settings.ACME_TOKEN_URL = stand_in.authorize_url, stand_in.token_url
        # As when the process starts: the routes are made of the servers that the providers name.
        fresh = ModuleType("urls_with_acme")
        fresh.urlpatterns = [*oauth_routes(), *urls.urlpatterns]  # type: ignore[attr-defined]
        settings.ROOT_URLCONF = fresh
        yield stand_in
    provider_classes.cache_clear()
    clear_url_caches()


@pytest.mark.django_db
@pytest.mark.slow
def test_start_callback_and_stored_credential(acme: GoogleStandIn) -> None:
    assert [server.name for server in oauth_servers()] == ["acme", "google"]
    place = make_place()
    connector = make_connector(place.workspace, ConnectorStatus.PENDING, "acme_ledger")
    page = reverse("billing-connector", args=[place.workspace.slug, connector.pk])
    start = f"{reverse('acme-authorize')}?connector={connector.pk}"
    shown = place.browser.get(page).content.decode()
    assert start in shown
    assert "Authorize at Acme" in shown

    address = place.browser.get(start).headers["Location"]
    query = parse_qs(urlsplit(address).query)
    assert query["redirect_uri"] == [CALLBACK]
    assert query["scope"] == ["ledger.read"]
    assert "access_type" not in query
    answer = acme.consent(address)
    parts = urlsplit(answer)
    returned = place.browser.get(f"{parts.path}?{parts.query}", follow=True)
    assert f"{connector.name} is authorized at Acme." in returned.content.decode()

    assert Connector.objects.get(pk=connector.pk).status == ConnectorStatus.ENABLED
    stored = credential_open(id_of(connector))
    assert stored is not None
    token = OAuthToken.from_text(stored.reveal())
    assert token.is_fresh(clock.now())
    secret = secret_for_call(console_context(), connector_id=id_of(connector))
    assert secret is not None
    assert secret.reveal() == token.access_token


@pytest.mark.django_db
@pytest.mark.slow
def test_a_response_at_the_callback_of_another_server_is_refused(acme: GoogleStandIn) -> None:
    place = make_place()
    connector = make_connector(place.workspace, ConnectorStatus.PENDING, "acme_ledger")
    address = place.browser.get(f"{reverse('acme-authorize')}?connector={connector.pk}").headers["Location"]
    answer, calls = acme.consent(address), acme.counts()["tokenCalls"]
    assert come_back(place.browser, answer.replace("/connectors/acme/", "/connectors/google/")) == 403
    assert acme.counts()["tokenCalls"] == calls
    assert not ConnectorCredential.objects.filter(connector=connector).exists()
    assert "at another server" in connector.timeline.latest("pk").sentence


@pytest.mark.django_db
def test_a_connector_is_authorized_at_its_own_server_alone(acme: GoogleStandIn) -> None:
    place = make_place("google_sheets")
    answer = place.browser.get(f"{reverse('acme-authorize')}?connector={place.connector.pk}")
    assert answer.status_code == 422
    assert "is not authorized at Acme" in answer.content.decode()
    assert not AuthorizationAttempt.objects.exists()
