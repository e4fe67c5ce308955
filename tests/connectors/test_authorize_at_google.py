"""The way to Google and back, against a real OAuth server: taken once, by its own traveller, and by nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.contracts import CheckOutcome, Provider, ProviderError
from apps.connectors.credentials import credential_open, credential_write
from apps.connectors.enums import ConnectorStatus, CredentialKind
from apps.connectors.google.client import GoogleToken, refresh
from apps.connectors.google.configuration import google_configuration
from apps.connectors.google.stored import from_text, to_text
from apps.connectors.models import AuthorizationAttempt, Connector, ConnectorCredential
from apps.connectors.providers.registry import provider_class
from apps.connectors.services import google_access
from apps.connectors.services.google_access import secret_for_call
from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.models import OutboxItem
from apps.tenants.models import User, Workspace
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.contexts import console_context
from tests.counterparts.google import CLIENT_ID, CLIENT_SECRET, GoogleStandIn, google_stand_in
from tests.factories.tenants import make_membership, make_user
from tests.sizes import size

SCOPES = sorted({scope for name in ("google_cloud", "google_sheets") for scope in provider_class(name).oauth_scopes})
CALLBACK = "http://testserver/connectors/google/callback"
SETTINGS = {
    "google_sheets": {"spreadsheet_id": "1-a-spreadsheet-of-the-tests"},
    "google_cloud": {"table": "billing-123.export.gcp_billing_export_v1", "project_id": "billing-123"},
}
WORKERS = size(small=20, full=20)


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleStandIn]:
    with google_stand_in(redirect_uris=[CALLBACK], scopes=SCOPES) as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def configured(google: GoogleStandIn, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google_sheets", "google_cloud"):
        monkeypatch.setattr(provider_class(name), "check", lambda provider: CheckOutcome(provider.label))
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

    def begin(self, browser: Client | None = None) -> str:
        answer = (browser or self.browser).get(reverse("google-authorize"), {"connector": str(self.connector.pk)})
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


@pytest.mark.django_db
@pytest.mark.parametrize("provider", ["google_sheets", "google_cloud"])
def test_there_and_back(google: GoogleStandIn, provider: str) -> None:
    place = make_place(provider)
    address = place.begin()
    query = parse_qs(urlsplit(address).query)
    assert query["code_challenge_method"] == ["S256"]
    assert (query["access_type"], query["prompt"], query["include_granted_scopes"]) == (
        ["offline"],
        ["consent"],
        ["true"],
    )
    assert query["scope"] == [" ".join(provider_class(provider).oauth_scopes)]
    assert come_back(place.browser, google.consent(address)) == 302
    connector = Connector.objects.get(pk=place.connector.pk)
    assert connector.status == ConnectorStatus.ENABLED
    secret = credential_open(id_of(connector))
    assert secret is not None
    token = from_text(secret.reveal())
    assert token.refresh_token
    assert token.is_fresh(clock.now())
    stored = ConnectorCredential.objects.get(connector=connector)
    assert stored.last_four == ""
    assert token.access_token.encode() not in bytes(stored.ciphertext)


Twist = Callable[[Place, str], tuple[Client, str]]


def of_another_session(place: Place, address: str) -> tuple[Client, str]:
    return signed_in(place.admin), address


def of_another_person(place: Place, address: str) -> tuple[Client, str]:
    colleague = make_user()
    make_membership(place.workspace.organization, colleague, MembershipRole.ADMIN)
    return signed_in(colleague), address


def of_another_tenant(place: Place, address: str) -> tuple[Client, str]:
    return make_place().browser, address


def with_anothers_state(place: Place, address: str) -> tuple[Client, str]:
    other = parse_qs(urlsplit(make_place().begin()).query)["state"][0]
    return place.browser, changed(address, state=other)


def used_before(place: Place, address: str) -> tuple[Client, str]:
    AuthorizationAttempt.objects.filter(connector=place.connector).update(used_at=clock.now())
    return place.browser, address


def too_late(place: Place, address: str) -> tuple[Client, str]:
    past = clock.now() - timedelta(minutes=11)
    AuthorizationAttempt.objects.filter(connector=place.connector).update(
        started_at=past, expires_at=past + timedelta(minutes=10)
    )
    return place.browser, address


def of_a_moved_connector(place: Place, address: str) -> tuple[Client, str]:
    AuthorizationAttempt.objects.filter(connector=place.connector).update(workspace_id=make_place().workspace.pk)
    return place.browser, address


def mutated(place: Place, address: str) -> tuple[Client, str]:
    state = parse_qs(urlsplit(address).query)["state"][0]
    return place.browser, changed(address, state=("B" if state[0] == "A" else "A") + state[1:])


def without_state(place: Place, address: str) -> tuple[Client, str]:
    return place.browser, changed(address, state="")


TWISTS: list[Twist] = [
    of_another_session,
    of_another_person,
    of_another_tenant,
    with_anothers_state,
    used_before,
    too_late,
    of_a_moved_connector,
    mutated,
    without_state,
]


@pytest.mark.django_db
@pytest.mark.parametrize("twist", TWISTS, ids=lambda twist: twist.__name__)
def test_an_answer_that_does_not_belong_is_refused_and_google_is_not_asked(google: GoogleStandIn, twist: Twist) -> None:
    place = make_place()
    address = google.consent(place.begin())
    browser, twisted = twist(place, address)
    before, calls = place.fingerprint(), google.counts()["tokenCalls"]
    assert come_back(browser, twisted) == 403
    assert place.fingerprint() == before
    assert google.counts()["tokenCalls"] == calls


@pytest.mark.django_db
def test_two_tabs_have_an_authorization_each(google: GoogleStandIn) -> None:
    place = make_place()
    first, second = place.begin(), place.begin()
    assert come_back(place.browser, google.consent(second)) == 302
    assert come_back(place.browser, google.consent(first)) == 302
    assert AuthorizationAttempt.objects.filter(connector=place.connector, used_at=None).count() == 0


@pytest.mark.django_db
def test_a_code_of_another_authorization_is_of_no_use(google: GoogleStandIn) -> None:
    """PKCE: a code that was slipped in was asked for with another verifier, and Google refuses it."""
    place, thief = make_place(), make_place()
    stolen = parse_qs(urlsplit(google.consent(thief.begin())).query)["code"][0]
    address = google.consent(place.begin())
    before = place.fingerprint()
    assert come_back(place.browser, changed(address, code=stolen)) == 302
    assert place.fingerprint() == before


@pytest.mark.django_db
def test_whoever_says_no_is_told_so_and_nothing_changes(google: GoogleStandIn) -> None:
    place = make_place()
    state = parse_qs(urlsplit(place.begin()).query)["state"][0]
    before, calls = place.fingerprint(), google.counts()["tokenCalls"]
    assert come_back(place.browser, f"{CALLBACK}?{urlencode({'error': 'access_denied', 'state': state})}") == 302
    assert place.fingerprint() == before
    assert google.counts()["tokenCalls"] == calls
    event = place.connector.timeline.latest("pk")
    assert "You did not agree on Google's page" in event.sentence


@pytest.mark.django_db
def test_only_those_who_may_edit_set_out(google: GoogleStandIn) -> None:
    place = make_place()
    viewer, stranger = make_user(), make_user()
    make_membership(place.workspace.organization, viewer, MembershipRole.VIEWER)
    query = {"connector": str(place.connector.pk)}
    assert signed_in(viewer).get(reverse("google-authorize"), query).status_code == 403
    hidden = signed_in(stranger).get(reverse("google-authorize"), query)
    absent = signed_in(stranger).get(reverse("google-authorize"), {"connector": str(make_user().pk)})
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert Client().get(reverse("google-authorize"), query).status_code == 302
    assert AuthorizationAttempt.objects.count() == 0


@pytest.mark.django_db
def test_a_repeated_consent_without_a_refresh_token_keeps_the_old_one(google: GoogleStandIn) -> None:
    place = make_place()
    assert come_back(place.browser, google.consent(place.begin())) == 302
    first = credential_open(id_of(place.connector))
    google.control(issueRefreshToken=False)
    assert come_back(place.browser, google.consent(place.begin())) == 302
    second = credential_open(id_of(place.connector))
    assert first is not None
    assert second is not None
    old, new = from_text(first.reveal()), from_text(second.reveal())
    assert new.refresh_token == old.refresh_token
    assert new.access_token != old.access_token

    fresh = make_place()
    before = fresh.fingerprint()
    assert come_back(fresh.browser, google.consent(fresh.begin())) == 302
    assert fresh.fingerprint() == before  # without any refresh token the connector would stop within the hour


@pytest.mark.django_db
def test_a_permission_that_opens_nothing_is_not_kept(google: GoogleStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(provider: Provider) -> CheckOutcome:
        raise ProviderError("the spreadsheet has no sheet 'Usage'; it has Summary.", is_permanent=True)

    monkeypatch.setattr(provider_class("google_sheets"), "check", refuse)
    place = make_place()
    address, before = google.consent(place.begin()), place.fingerprint()
    assert come_back(place.browser, address) == 302
    assert place.fingerprint() == before
    assert "it has Summary" in place.connector.timeline.latest("pk").sentence


def outdated(google: GoogleStandIn, place: Place) -> GoogleToken:
    """Authorize the connector, and let its access token be over."""
    assert come_back(place.browser, google.consent(place.begin())) == 302
    secret = credential_open(id_of(place.connector))
    assert secret is not None
    token = from_text(secret.reveal())
    over = GoogleToken(token.access_token, token.refresh_token, token.scope, clock.now())
    credential_write(connector_id=id_of(place.connector), kind=CredentialKind.OAUTH, text=to_text(over))
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
    ask_together(lambda: refresh(google_configuration(), over))
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
def test_google_out_of_reach_stops_nothing(google: GoogleStandIn, settings: Settings) -> None:
    place = make_place()
    outdated(google, place)
    settings.GOOGLE_TOKEN_URL = "http://127.0.0.1:9/token"
    before = place.fingerprint()
    with pytest.raises(ProviderError) as caught:
        google_access.secret_for_call(console_context(), connector_id=id_of(place.connector))
    assert not caught.value.is_permanent
    assert place.fingerprint() == before
