"""Signing in to the billing pages and out of them: nobody learns who exists, and nobody is led astray (spec 08, 11)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import cast

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import Role
from apps.tenants.models import User
from tests.factories.tenants import PASSWORD, make_signing_in_user, make_staff
from tests.markup import Page

pytestmark = pytest.mark.django_db

SIGN_IN, SIGN_OUT, HOME = reverse("sign-in"), reverse("sign-out"), reverse("billing-home")
ELSEWHERE = (
    "https://evil.example/billing/",
    "//evil.example/billing/",
    "///evil.example/billing/",
    "/\\evil.example/billing/",
    "\\\\evil.example\\billing\\",
    "http:evil.example/billing/",
    "https:///evil.example/billing/",
    "javascript:alert(1)//billing/",
    "data:text/html,/billing/",
    "\t//evil.example/billing/",
    " /billing/",
    "/billing/\r\nLocation: https://evil.example",
    "http://testserver@evil.example/billing/",
    "http://testserver.evil.example/billing/",
    "/admin/",
    "/sign-in/",
    "/sign-out/",
    "billing/",
    "",
)
OURS = ("/billing/", "/billing/northwind/settings/", "/billing/northwind/settings/?month=2026-04&x=//evil.example")


def give(client: Client, email: str, password: str = PASSWORD, **extra: str) -> HttpResponse:
    return cast("HttpResponse", client.post(SIGN_IN, {"username": email, "password": password, **extra}))


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_an_address_and_its_password_let_in(client: Client) -> None:
    user = make_signing_in_user()
    answer = give(client, f" {user.email.upper()} ")
    assert (answer.status_code, answer.headers["Location"]) == (302, HOME)
    assert is_signed_in(client)


def test_signing_in_changes_the_session_key(client: Client) -> None:
    user = make_signing_in_user()
    client.get(SIGN_IN)
    session = client.session
    session["seen"] = True
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before or ""
    give(client, user.email)
    assert client.session.session_key != before


def test_unknown_address_wrong_password_and_deactivated_person_are_refused_alike() -> None:
    user, gone = make_signing_in_user(), make_signing_in_user()
    without_password = make_signing_in_user()
    User.objects.filter(pk=gone.pk).update(is_active=False)
    User.objects.filter(pk=without_password.pk).update(password="")
    tries = (
        (user.email, "wrong"),
        ("nobody@example.com", "wrong"),
        (gone.email, PASSWORD),
        (without_password.email, "wrong"),
    )
    answers = []
    for email, password in tries:
        client = Client()
        answer = give(client, email, password)
        assert answer.status_code == 200
        assert not is_signed_in(client)
        body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())
        answers.append(body.replace(email, "ADDRESS"))
    assert len(set(answers)) == 1
    assert "Wrong e-mail address or password" in answers[0]


def test_the_sixth_try_is_refused_for_known_and_unknown_alike() -> None:
    user, bodies = make_signing_in_user(), []
    for email in (user.email, "nobody@example.com"):
        with time_machine.travel(clock.now(), tick=False):
            statuses = [give(Client(), email, "wrong").status_code for _ in range(6)]
            locked = give(Client(), email)
        assert statuses == [200, 200, 200, 200, 200, 429]
        assert (locked.status_code, locked.headers["Retry-After"]) == (429, "900")
        bodies.append(locked.content)
        assert email not in locked.content.decode()
    assert bodies[0] == bodies[1]
    assert "15 minutes" in Page(bodies[0].decode()).text
    assert "back office" not in bodies[0].decode().lower()


def test_the_lock_counts_over_both_planes_and_each_answers_in_its_own_words() -> None:
    user = make_staff(Role.SUPPORT)
    for _ in range(5):
        give(Client(), user.email, "wrong")
    locked = Client().post(reverse("admin:login"), {"username": user.email, "password": PASSWORD})
    assert locked.status_code == 429
    assert "platform admin" in locked.content.decode()


def test_the_lock_ends_after_its_time() -> None:
    user = make_signing_in_user()
    with time_machine.travel(clock.now(), tick=False) as traveller:
        for _ in range(5):
            give(Client(), user.email, "wrong")
        traveller.shift(timedelta(minutes=14))
        assert give(Client(), user.email).status_code == 429
        traveller.shift(timedelta(minutes=2))
        assert give(Client(), user.email).status_code == 302


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_no_next_leads_away_from_the_billing_pages(wanted: str) -> None:
    user = make_signing_in_user()
    assert give(Client(), user.email, next=wanted).headers["Location"] == HOME
    signed_in = Client()
    signed_in.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    answer = signed_in.get(SIGN_IN, {"next": wanted})
    assert (answer.status_code, answer["Location"]) == (302, HOME)
    assert wanted == "" or f'value="{wanted}"' not in Client().get(SIGN_IN, {"next": wanted}).content.decode()


@pytest.mark.parametrize("wanted", OURS)
def test_next_leads_back_to_a_billing_page(wanted: str) -> None:
    assert give(Client(), make_signing_in_user().email, next=wanted).headers["Location"] == wanted


def test_who_is_not_signed_in_comes_back_to_the_page_they_wanted(client: Client) -> None:
    wanted = "/billing/northwind/settings/?a=1"
    step = client.get(wanted)["Location"]
    assert step.startswith(f"{SIGN_IN}?next=")
    fields = [attributes for name, attributes in Page(client.get(step).content.decode()).elements if name == "input"]
    assert next(field["value"] for field in fields if field["name"] == "next") == wanted


def test_signing_out_ends_the_session_and_is_post_alone(client: Client) -> None:
    user = make_signing_in_user()
    give(client, user.email)
    for method in ("get", "head", "put", "delete", "options"):
        assert getattr(client, method)(SIGN_OUT).status_code == 405
    assert is_signed_in(client)
    answer = client.post(SIGN_OUT, {"next": "https://evil.example/"}, follow=True)
    assert answer.redirect_chain == [(SIGN_IN, 302)]
    assert "You are signed out." in answer.content.decode()
    assert not is_signed_in(client)
    assert client.get(HOME)["Location"].startswith(SIGN_IN)


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_OUT])
def test_a_form_without_its_token_does_nothing(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_signing_in_user(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(path).status_code == 403
    assert is_signed_in(client)


def test_pages_of_the_sign_in_are_kept_by_nobody_and_bring_no_code_of_their_own() -> None:
    pages = [cast("HttpResponse", Client().get(SIGN_IN)), give(Client(), "nobody@example.com", "wrong")]
    pages += [give(Client(), "nobody@example.com", "wrong") for _ in range(5)]
    assert pages[-1].status_code == 429
    for answer in pages:
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert Page(answer.content.decode()).inline == []


def test_a_password_that_could_be_no_text_is_refused_calmly() -> None:
    assert give(Client(), "a\0b@example.com", "\0").status_code == 400
    assert give(Client(), "x" * 5000 + "@example.com", "y" * 5000).status_code == 200
    assert give(Client(headers={"User-Agent": "z" * 5000}), "nobody@example.com").status_code == 200
