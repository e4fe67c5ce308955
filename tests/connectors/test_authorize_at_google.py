"""The way to Google and back, against a real OAuth server: taken once, by its own traveller, and by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.contracts import CheckResult, Provider, ProviderError
from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import AuthorizationAttempt, Connector, ConnectorCredential
from apps.connectors.oauth.client import OAuthToken
from apps.connectors.providers.registry import provider_class
from apps.connectors.services.credentials import connector_may_write, credential_open
from apps.core import clock
from apps.core.enums import MembershipRole
from tests.connectors.cast import begin_grace, id_of, make_connector, suspend
from tests.connectors.google_cast import CALLBACK, Place, changed, come_back, make_place, signed_in
from tests.counterparts.google import GoogleStandIn
from tests.factories.tenants import make_membership, make_user

pytestmark = pytest.mark.usefixtures("configured")


@pytest.mark.django_db
@pytest.mark.parametrize("provider", ["google_sheets", "google_cloud"])
@pytest.mark.slow
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
    token = OAuthToken.from_text(secret.reveal())
    assert token.refresh_token
    assert token.is_fresh(clock.now())
    stored = ConnectorCredential.objects.get(connector=connector)
    assert stored.last_four == ""
    assert token.access_token.encode() not in bytes(stored.ciphertext)


@pytest.mark.django_db
def test_there_and_back_in_grace_and_no_further_once_it_is_over(google: GoogleStandIn) -> None:
    place = make_place()
    begin_grace(place.workspace)
    shown = place.browser.get(reverse("billing-connector", args=[place.workspace.slug, place.connector.pk]))
    assert "Authorize at Google" in shown.content.decode()
    assert come_back(place.browser, google.consent(place.begin())) == 302
    assert Connector.objects.get(pk=place.connector.pk).status == ConnectorStatus.ENABLED
    address = google.consent(place.begin())
    suspend(place.workspace)
    before = place.fingerprint()
    assert come_back(place.browser, address) == 403
    assert place.browser.get(reverse("google-authorize"), {"connector": str(place.connector.pk)}).status_code == 403
    assert place.fingerprint() == before


@pytest.mark.django_db
def test_writing_is_asked_for_where_a_person_wants_it_and_stays(google: GoogleStandIn) -> None:
    place = make_place()
    provider = provider_class("google_sheets")
    assert come_back(place.browser, google.consent(place.begin())) == 302
    assert not connector_may_write(place.connector)
    address = place.begin(write="1")
    asked = parse_qs(urlsplit(address).query)["scope"][0].split()
    assert asked == sorted({*provider.oauth_scopes, *provider.write_scopes})
    assert come_back(place.browser, google.consent(address)) == 302
    assert connector_may_write(place.connector)
    # The usual way back after a lost authorization does not take it away.
    assert come_back(place.browser, google.consent(place.begin())) == 302
    assert connector_may_write(place.connector)


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
    old, new = OAuthToken.from_text(first.reveal()), OAuthToken.from_text(second.reveal())
    assert new.refresh_token == old.refresh_token
    assert new.access_token != old.access_token

    fresh = make_place()
    before = fresh.fingerprint()
    assert come_back(fresh.browser, google.consent(fresh.begin())) == 302
    assert fresh.fingerprint() == before  # without any refresh token the connector would stop within the hour


@pytest.mark.django_db
def test_a_permission_that_opens_nothing_is_not_kept(google: GoogleStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(provider: Provider) -> CheckResult:
        raise ProviderError("the spreadsheet has no sheet 'Usage'; it has Summary.", is_permanent=True)

    monkeypatch.setattr(provider_class("google_sheets"), "check", refuse)
    place = make_place()
    address, before = google.consent(place.begin()), place.fingerprint()
    assert come_back(place.browser, address) == 302
    assert place.fingerprint() == before
    assert "it has Summary" in place.connector.timeline.latest("pk").sentence


@pytest.mark.django_db
@pytest.mark.parametrize("status", [ConnectorStatus.PENDING, ConnectorStatus.NEEDS_REAUTHORIZATION])
def test_the_page_offers_it_to_those_who_may(
    google: GoogleStandIn, settings: Settings, status: ConnectorStatus
) -> None:
    place = make_place()
    connector = make_connector(place.workspace, status, "google_sheets")
    viewer = make_user()
    make_membership(place.workspace.organization, viewer, MembershipRole.VIEWER)
    page = reverse("billing-connector", args=[place.workspace.slug, connector.pk])
    way = f"{reverse('google-authorize')}?connector={connector.pk}"
    assert way in place.browser.get(page).content.decode()
    assert way not in signed_in(viewer).get(page).content.decode()
    settings.GOOGLE_CLIENT_ID = ""
    for shown in (page, f"{reverse('billing-connector-new', args=[place.workspace.slug])}?provider=google_sheets"):
        text = place.browser.get(shown).content.decode()
        assert way not in text
        assert "Google is not set up on this installation" in text


@pytest.mark.django_db
def test_the_way_back_ends_on_the_connectors_page_with_its_sentence(google: GoogleStandIn) -> None:
    place = make_place()
    parts = urlsplit(google.consent(place.begin()))
    answer = place.browser.get(f"{parts.path}?{parts.query}", follow=True)
    page = reverse("billing-connector", args=[place.workspace.slug, place.connector.pk])
    assert answer.redirect_chain == [(page, 302)]
    assert f"{place.connector.name} is authorized at Google." in answer.content.decode()
