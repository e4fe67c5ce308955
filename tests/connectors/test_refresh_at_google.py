"""A Google token is renewed once, however many ask, and a withdrawn one stops its connector (spec 06)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from apps.connectors.contracts import ProviderError
from apps.connectors.enums import ConnectorStatus, CredentialKind
from apps.connectors.models import Connector
from apps.connectors.oauth.client import OAuthToken, client_for
from apps.connectors.oauth.google import GOOGLE
from apps.connectors.services.credentials import (
    connector_ask_reauthorization,
    credential_open,
    credential_write,
    secret_for_call,
)
from apps.core import clock
from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError
from apps.core.models import OutboxItem
from tests.connectors.cast import id_of, make_connector
from tests.connectors.google_cast import Place, come_back, make_place
from tests.contexts import console_context, staff_context
from tests.counterparts.google import GoogleStandIn
from tests.sizes import size

WORKERS = size(small=20, full=20)
pytestmark = pytest.mark.usefixtures("configured")


def outdated(google: GoogleStandIn, place: Place) -> OAuthToken:
    """Authorize the connector, and let its access token be over."""
    assert come_back(place.browser, google.consent(place.begin())) == 302
    secret = credential_open(id_of(place.connector))
    assert secret is not None
    token = OAuthToken.from_text(secret.reveal())
    over = OAuthToken(token.access_token, token.refresh_token, token.scope, clock.now())
    credential_write(connector_id=id_of(place.connector), kind=CredentialKind.OAUTH, text=over.to_text())
    return over


def ask_together(ask: Callable[[], object]) -> list[object]:
    """What each of the workers got, all asking at once."""
    start, found = threading.Barrier(WORKERS), []

    def work() -> None:
        try:
            start.wait()
            found.append(ask())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.prove("one refresh of a Google token", size=WORKERS, control="each for itself is caught")
@pytest.mark.django_db(transaction=True)
def test_twenty_workers_refresh_once(google: GoogleStandIn) -> None:
    place = make_place()
    over = outdated(google, place)
    before = google.counts()["refreshCalls"]
    secrets = ask_together(lambda: secret_for_call(console_context(), connector_id=id_of(place.connector)))
    tokens = {secret.reveal() for secret in secrets if hasattr(secret, "reveal")}
    assert len(secrets) == WORKERS
    assert len(tokens) == 1
    assert over.access_token not in tokens
    assert google.counts()["refreshCalls"] == before + 1

    # The control: each worker for itself is caught.
    before = google.counts()["refreshCalls"]
    ask_together(lambda: client_for(GOOGLE).refresh(over))
    assert google.counts()["refreshCalls"] == before + WORKERS


@pytest.mark.django_db(transaction=True)
def test_a_withdrawn_authorization_stops_the_connector_and_tells_its_admins_once(google: GoogleStandIn) -> None:
    place = make_place()
    google.revoke(outdated(google, place).refresh_token)
    for _ in range(2):
        with pytest.raises(ProviderError) as caught:
            secret_for_call(console_context(), connector_id=id_of(place.connector))
        assert caught.value.is_credential_invalid
    assert Connector.objects.get(pk=place.connector.pk).status == ConnectorStatus.NEEDS_REAUTHORIZATION
    mails = [item.payload for item in OutboxItem.objects.filter(kind="email.send", key__startswith="reauthorization:")]
    assert [mail["to"] for mail in mails] == [[place.admin.email]]
    assert come_back(place.browser, google.consent(place.begin())) == 302
    assert Connector.objects.get(pk=place.connector.pk).status == ConnectorStatus.ENABLED


@pytest.mark.django_db
@pytest.mark.slow
def test_google_out_of_reach_stops_nothing(google: GoogleStandIn, settings: Settings) -> None:
    place = make_place()
    outdated(google, place)
    settings.GOOGLE_TOKEN_URL = "http://127.0.0.1:9/token"
    before = place.fingerprint()
    with pytest.raises(ProviderError) as caught:
        secret_for_call(console_context(), connector_id=id_of(place.connector))
    assert not caught.value.is_permanent
    assert place.fingerprint() == before


@pytest.mark.django_db
def test_staff_ask_for_an_authorization_once(google: GoogleStandIn) -> None:
    place = make_place()
    assert come_back(place.browser, google.consent(place.begin())) == 302
    ask = partial(connector_ask_reauthorization, connector_id=id_of(place.connector), reason="the account was sold")
    with pytest.raises(ForbiddenError):
        ask(staff_context(Role.SUPPORT))
    ask(staff_context())
    assert Connector.objects.get(pk=place.connector.pk).status == ConnectorStatus.NEEDS_REAUTHORIZATION
    assert place.connector.timeline.latest("pk").sentence == "Asked to be authorized again: the account was sold"
    assert OutboxItem.objects.filter(kind="email.send", key__startswith="reauthorization:").count() == 1
    before = place.fingerprint()
    with pytest.raises(ConflictError):
        ask(staff_context())
    assert place.fingerprint() == before


@pytest.mark.django_db
def test_one_with_a_key_is_not_asked(google: GoogleStandIn) -> None:
    connector = make_connector(make_place().workspace)
    with pytest.raises(ConflictError, match="a person has authorized"):
        connector_ask_reauthorization(staff_context(), connector_id=id_of(connector), reason="why not")
