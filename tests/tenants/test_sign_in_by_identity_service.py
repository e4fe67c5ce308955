"""OpenID Connect: the right answer lets in, every wrong one gets its page, and nothing is changed (spec 02)."""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.tenants.models import User
from tests.factories.tenants import PASSWORD, make_signing_in_user, make_staff, make_user
from tests.markup import Page
from tests.tenants.identity_service import (
    CLIENT_ID,
    EC,
    HOME,
    RSA,
    IdentityService,
    begin,
    come_back,
    half_hash,
    is_signed_in,
    signed,
    truth,
)
from tests.tenants.identity_service import service as service  # noqa: PLC0414 - a fixture of this module

pytestmark = pytest.mark.django_db


def test_the_way_there_has_state_nonce_and_a_challenge(service: IdentityService) -> None:
    first, second = begin(Client()), begin(Client())
    assert first["response_type"] == "code"
    assert (first["client_id"], first["scope"], first["code_challenge_method"]) == (CLIENT_ID, "openid", "S256")
    assert first["redirect_uri"] == f"http://testserver{reverse('oidc-callback')}"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 32
        assert first[name] != second[name]


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (RSA, "PS384"), (RSA, "RS512"), (EC, "ES256")])
def test_a_right_answer_lets_in(service: IdentityService, key: Any, alg: str) -> None:
    user, client = make_user(), Client()
    sent = begin(client, "/billing/northwind/settings/")
    before = client.session.session_key
    service.token = signed(service.claims(user, sent["nonce"]), key, alg)
    answer = come_back(client, code="a-code", state=sent["state"])
    assert (answer.status_code, answer.headers["Location"]) == (302, "/billing/northwind/settings/")
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.session.session_key != before
    (asked,) = [asked for asked in service.asked if asked[0] == "/token"]
    verifier = asked[1]["code_verifier"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert (asked[1]["code"], challenge) == ("a-code", sent["code_challenge"])
    assert (
        base64.b64decode(asked[2].removeprefix("Basic ")) == b"countinghouse:a%20secret%3A%20of%20the%20tests%2F%C3%A9"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"azp": CLIENT_ID},
        {"at_hash": half_hash("an-access-token")},
        {"exp": -30},
        {"iat": 30, "nbf": 30},
        {"email": "another@example.com", "groups": ["admins"]},
    ],
)
def test_answers_that_differ_within_what_is_allowed(service: IdentityService, changes: dict[str, Any]) -> None:
    user, client, now = make_user(), Client(), int(clock.now().timestamp())
    sent = begin(client)
    moved = {name: now + value if isinstance(value, int) else value for name, value in changes.items()}
    service.token = signed(service.claims(user, sent["nonce"], **moved))
    assert come_back(client, code="x", state=sent["state"], iss=service.issuer).headers["Location"] == HOME
    user.refresh_from_db()
    assert user.email != "another@example.com"


def test_a_state_that_is_not_this_sessions_asks_nobody_anything(service: IdentityService) -> None:
    user, client, other = make_user(), Client(), Client()
    sent, foreign = begin(client), begin(other)
    service.token = signed(service.claims(user, sent["nonce"]))
    for state in ("", "x", foreign["state"], sent["state"] + "x", "ä\0"):
        assert come_back(client, code="x", state=state).status_code == 400
        assert come_back(Client(), code="x", state=sent["state"]).status_code == 400
    assert service.count("/token") == 0
    assert not is_signed_in(client)
    assert come_back(client, code="x", state=sent["state"]).status_code == 302


def test_a_state_is_good_for_one_answer(service: IdentityService) -> None:
    client = Client()
    sent = begin(client)
    assert come_back(client, error="access_denied", state=sent["state"]).status_code == 403
    service.token = signed(service.claims(make_user(), sent["nonce"]))
    assert come_back(client, code="x", state=sent["state"]).status_code == 400
    assert not is_signed_in(client)


def test_several_tabs_may_be_under_way_and_each_ends_within_ten_minutes(service: IdentityService) -> None:
    user, client = make_user(), Client()
    sent = [begin(client) for _ in range(6)]
    service.token = signed(service.claims(user, sent[0]["nonce"]))
    assert come_back(client, code="x", state=sent[0]["state"]).status_code == 400
    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        assert come_back(client, code="x", state=sent[1]["state"]).status_code == 400
    service.token = signed(service.claims(user, sent[2]["nonce"]))
    assert come_back(client, code="x", state=sent[2]["state"]).status_code == 302


@pytest.mark.parametrize("iss", ["https://evil.example", "", "SLASH"])
def test_an_answer_of_another_issuer_is_not_even_looked_into(service: IdentityService, iss: str) -> None:
    client = Client()
    sent = begin(client)
    named = f"{service.issuer}/" if iss == "SLASH" else iss
    answer = come_back(client, code="x", error="access_denied", state=sent["state"], iss=named)
    assert "comes from elsewhere" in answer.content.decode()
    assert service.count("/token") == 0


def test_a_service_that_promises_its_name_must_give_it(service: IdentityService) -> None:
    service.more_metadata["authorization_response_iss_parameter_supported"] = True
    user, client = make_user(), Client()
    sent = begin(client)
    assert come_back(client, code="x", state=sent["state"]).status_code == 403
    sent = begin(client)
    service.token = signed(service.claims(user, sent["nonce"]))
    assert come_back(client, code="x", state=sent["state"], iss=service.issuer).status_code == 302


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("access_denied", 403),
        ("login_required", 403),
        ("server_error", 503),
        ("temporarily_unavailable", 503),
        ("invalid_scope", 502),
        ("<script>alert(1)</script>", 502),
    ],
)
def test_an_error_of_the_service_is_told_in_our_words(service: IdentityService, error: str, status: int) -> None:
    client = Client()
    sent, before = begin(client), truth()
    answer = come_back(client, error=error, error_description="<b>call 555-1234</b>", state=sent["state"])
    assert answer.status_code == status
    assert "call 555" not in answer.content.decode()
    assert Page(answer.content.decode()).inline == []
    assert not is_signed_in(client)
    assert truth() == before


@pytest.mark.parametrize("query", [{}, {"code": ""}, {"code": "x" * 5000}])
def test_an_answer_without_a_code(service: IdentityService, query: dict[str, str]) -> None:
    client = Client()
    assert come_back(client, state=begin(client)["state"], **query).status_code == 502
    assert service.count("/token") == 0


BROKEN: dict[str, tuple[str, tuple[int, bytes], int, int]] = {
    "the code is refused": ("/token", (400, b'{"error": "invalid_grant"}'), 502, 1),
    "we are refused": ("/token", (401, b'{"error": "invalid_client"}'), 502, 1),
    "it is down": ("/token", (500, b""), 503, 1),
    "it is busy": ("/token", (429, b""), 503, 1),
    "it answers a page": ("/token", (200, b"<html>"), 503, 1),
    "it answers a list": ("/token", (200, b"[]"), 503, 1),
    "it nests without end": ("/token", (200, b"[" * 100_000), 503, 1),
    "its keys are down": ("/keys", (503, b""), 503, 3),
    "its keys are no keys": ("/keys", (200, b'{"keys": [{"kty": "RSA"}]}'), 503, 1),
    "its keys are no list": ("/keys", (200, b'{"keys": 5}'), 503, 1),
}


@pytest.mark.parametrize(("path", "said", "status", "times"), BROKEN.values(), ids=BROKEN)
@pytest.mark.slow
def test_a_service_that_is_broken_on_the_way_back(
    service: IdentityService, path: str, said: tuple[int, bytes], status: int, times: int
) -> None:
    client = Client()
    sent, before = begin(client), truth()
    service.token = signed(service.claims(make_user(), sent["nonce"]))
    before = truth()
    service.answers[path] = said
    answer = come_back(client, code="x", state=sent["state"])
    assert (answer.status_code, service.count(path)) == (status, times)
    assert not is_signed_in(client)
    assert truth() == before


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"issuer": "https://evil.example"}', None])
def test_a_service_whose_metadata_will_not_do(service: IdentityService, body: bytes | None) -> None:
    if body is None:
        service.more_metadata["token_endpoint"] = "ftp://127.0.0.1/token"
    else:
        service.answers["/.well-known/openid-configuration"] = (200, body)
    answer: Any = Client().get(reverse("oidc-begin"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    service.answers.clear()
    service.more_metadata.clear()
    assert begin(Client())


def test_who_is_let_in_by_nobody(service: IdentityService) -> None:
    gone, staff = make_user(), make_staff()
    User.objects.filter(pk=gone.pk).update(is_active=False)
    known, before = make_user(), truth()
    for subject, words in (
        (str(uuid.uuid4()), "no account here yet"),
        ("ann@example.com", "no account here yet"),
        (str(known.pk).upper(), "no account here yet"),
        (known.pk.hex, "no account here yet"),
        (str(gone.pk), "deactivated"),
        (str(staff.pk), "Staff sign in"),
    ):
        client = Client()
        sent = begin(client)
        service.token = signed(service.claims(known, sent["nonce"], sub=subject))
        answer = come_back(client, code="x", state=sent["state"])
        assert (answer.status_code, words in answer.content.decode()) == (403, True), subject
        assert not is_signed_in(client)
    assert truth() == before


def test_an_issuer_with_a_slash_at_its_end_keeps_it(service: IdentityService, settings: Settings) -> None:
    user, client = make_user(), Client()
    settings.OIDC_ISSUER = service.more_metadata["issuer"] = f"{service.issuer}/"
    sent = begin(client)
    service.token = signed(service.claims(user, sent["nonce"], iss=f"{service.issuer}/"))
    answer = come_back(client, code="x", state=sent["state"], iss=f"{service.issuer}/")
    assert answer.status_code == 302
    assert service.count("/.well-known/openid-configuration") == 1


def test_loading_the_callback_again_leads_home(service: IdentityService) -> None:
    user, client = make_user(), Client()
    sent = begin(client)
    service.token = signed(service.claims(user, sent["nonce"]))
    for _ in range(2):
        assert come_back(client, code="x", state=sent["state"]).headers["Location"] == HOME
    assert service.count("/token") == 1


def test_the_sign_in_page_offers_the_service_alone_unless_passwords_are_allowed(
    service: IdentityService, settings: Settings
) -> None:
    user = make_signing_in_user()
    there = f"{reverse('oidc-begin')}?next=/billing/a/settings/%3Fx%3D1"
    given = {"username": user.email, "password": PASSWORD}
    for allowed in (False, True):
        settings.PASSWORD_SIGN_IN = allowed
        client: Any = Client()
        page = Page(client.get(reverse("sign-in"), {"next": "/billing/a/settings/?x=1"}).content.decode())
        assert there.replace("/billing", "%2Fbilling").replace("/a/settings/", "%2Fa%2Fsettings%2F") in page.links()
        assert ("Password" in page.text, "Forgot your password?" in page.text) == (allowed, allowed)
        client.post(reverse("sign-in"), given)
        assert is_signed_in(client) is allowed


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/billing/", "//evil.example/billing/", "/admin/", "/billing/\r\nX: y"]
)
def test_the_way_back_leads_nowhere_else(service: IdentityService, wanted: str) -> None:
    user, client = make_user(), Client()
    sent = begin(client, wanted)
    service.token = signed(service.claims(user, sent["nonce"]))
    assert come_back(client, code="x", state=sent["state"]).headers["Location"] == HOME


def test_where_no_service_is_configured_there_is_no_such_way(settings: Settings) -> None:
    assert Client().get(reverse("oidc-begin")).headers["Location"] == reverse("sign-in")
    assert come_back(Client(), code="x", state="x").status_code == 400
