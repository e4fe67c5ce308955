"""Signing in: password, then second factor; nothing of the plane before both (spec 08, 11)."""

from __future__ import annotations

import re

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.core import clock
from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.tenants.models import GuessCount, User
from tests.backoffice.people import client_of, code_of, enrol, give_password, sign_in, wrong_code_of
from tests.factories.tenants import PASSWORD, make_signing_in_user, make_staff

pytestmark = pytest.mark.django_db

LOGIN, CODE, ENROL, INDEX = (reverse(f"admin:{name}") for name in ("login", "second_factor", "enrol", "index"))


def half_in(client: Client, user: User) -> TOTPDevice:
    device = enrol(user)
    assert give_password(client, user.email).headers["Location"] == CODE
    return device


def is_in(client: Client) -> bool:
    return client.get(INDEX).status_code == 200


def test_password_and_code_let_in(client: Client) -> None:
    device = half_in(client, make_staff(Role.SUPPORT))
    assert not is_in(client)
    assert client.post(CODE, {"code": code_of(device)}).headers["Location"] == INDEX
    assert is_in(client)


def test_a_code_may_be_typed_in_groups(client: Client) -> None:
    device = half_in(client, make_staff())
    code = code_of(device)
    client.post(CODE, {"code": f" {code[:3]} {code[3:]} "})
    assert is_in(client)


def test_an_address_may_be_typed_in_capitals(client: Client) -> None:
    user = make_staff()
    enrol(user)
    assert give_password(client, f" {user.email.upper()} ").headers["Location"] == CODE


def test_unknown_address_and_wrong_password_are_refused_alike() -> None:
    user = make_staff()
    deactivated = make_staff()
    User.objects.filter(pk=deactivated.pk).update(is_active=False)
    answers = []
    for email, password in ((user.email, "wrong"), ("nobody@example.com", "wrong"), (deactivated.email, PASSWORD)):
        client = Client()
        answer = give_password(client, email, password)
        assert answer.status_code == 200
        assert "_auth_user_id" not in client.session
        body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())
        answers.append(body.replace(email, "ADDRESS"))
    assert len(set(answers)) == 1
    assert "Wrong e-mail address or password" in answers[0]


def test_first_sign_in_enrols_a_second_factor(client: Client) -> None:
    user = make_staff()
    assert give_password(client, user.email).headers["Location"] == ENROL
    page = client.get(ENROL).content.decode()
    device = TOTPDevice.objects.get(user=user)
    assert not device.confirmed
    assert 'src="data:image/svg+xml' in page
    assert "<script" not in page
    assert not is_in(client)
    assert client.get(ENROL).content.decode().count("data:image/svg+xml") == 1
    assert TOTPDevice.objects.filter(user=user).count() == 1
    done = client.post(ENROL, {"code": code_of(device)})
    assert done.status_code == 200
    assert f'href="{INDEX}"' in done.content.decode()
    assert is_in(client)
    device.refresh_from_db()
    assert device.confirmed
    assert AuditEntry.objects.filter(event="user.second_factor_enrolled", target_id=str(user.pk)).count() == 1


def test_a_wrong_code_enrols_nothing(client: Client) -> None:
    user = make_staff()
    give_password(client, user.email)
    client.get(ENROL)
    device = TOTPDevice.objects.get(user=user)
    assert client.post(ENROL, {"code": wrong_code_of(device)}).status_code == 200
    device.refresh_from_db()
    assert not device.confirmed
    assert not is_in(client)


def test_whoever_has_a_second_factor_can_not_enrol_another_with_the_password_alone(client: Client) -> None:
    user = make_staff()
    half_in(client, user)
    assert client.get(ENROL).status_code == 302
    assert client.post(ENROL, {"code": "123456"}).status_code == 302
    assert TOTPDevice.objects.filter(user=user).count() == 1
    assert not is_in(client)


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "-12345", "1e5000"]
)
def test_what_is_no_code_is_refused_without_a_try(client: Client, code: str) -> None:
    half_in(client, make_staff())
    before = list(GuessCount.objects.values())
    assert client.post(CODE, {"code": code}).status_code == 200
    assert list(GuessCount.objects.values()) == before
    assert not is_in(client)


def test_a_code_is_good_once() -> None:
    user = make_staff()
    first, second = Client(), Client()
    with time_machine.travel(clock.now(), tick=False):
        device = half_in(first, user)
        code = code_of(device)
        first.post(CODE, {"code": code})
        assert is_in(first)
        give_password(second, user.email)
        assert second.post(CODE, {"code": code}).status_code == 200
        assert not is_in(second)


def test_somebody_elses_code_does_not_let_in(client: Client) -> None:
    half_in(client, make_staff())
    other = enrol(make_staff())
    client.post(CODE, {"code": code_of(other)})
    assert not is_in(client)


def test_each_step_gives_the_session_a_new_key(client: Client) -> None:
    session = client.session
    session["planted"] = "yes"
    session.save()
    keys = [client.cookies[settings.SESSION_COOKIE_NAME].value]
    device = half_in(client, make_staff())
    keys.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    client.post(CODE, {"code": code_of(device)})
    keys.append(client.cookies[settings.SESSION_COOKIE_NAME].value)
    assert len(set(keys)) == 3
    old = Client()
    old.cookies[settings.SESSION_COOKIE_NAME] = keys[-2]
    assert not is_in(old)


@pytest.mark.parametrize("has_password_step", [False, True])
def test_pages_before_their_step_lead_back(client: Client, *, has_password_step: bool) -> None:
    if has_password_step:
        give_password(client, make_staff().email)
    else:
        assert client.get(CODE).headers["Location"] == LOGIN
        assert client.get(ENROL).headers["Location"] == LOGIN
    answer = client.get(INDEX)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(LOGIN)


def test_a_person_without_a_platform_role_is_told_so_and_not_signed_in(client: Client) -> None:
    user = make_signing_in_user()
    answer = give_password(client, user.email)
    assert answer.status_code == 403
    assert "no platform role" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_staff_whose_groups_were_taken_away_are_out_at_the_next_request(client: Client) -> None:
    user = make_staff()
    sign_in(client, user)
    assert is_in(client)
    user.groups.clear()
    assert not is_in(client)
    refused = client.get(LOGIN)
    assert refused.status_code == 403
    assert "no platform role" in refused.content.decode()


def test_a_tenant_member_with_a_session_is_refused(client: Client) -> None:
    client.force_login(make_signing_in_user(), backend="django.contrib.auth.backends.ModelBackend")
    assert not is_in(client)
    assert client.get(LOGIN).status_code == 403


def test_deactivation_and_a_new_password_end_the_session() -> None:
    for change in ("deactivate", "password"):
        client, user = Client(), make_staff()
        sign_in(client, user)
        assert is_in(client)
        if change == "deactivate":
            User.objects.filter(pk=user.pk).update(is_active=False)
        else:
            user.set_password("another-password-of-tests")
            user.save()
        assert not is_in(client)


def test_signing_out_works_at_every_step() -> None:
    half, whole = Client(), client_of(Role.SUPPORT)
    half_in(half, make_staff())
    for client in (half, whole):
        assert client.get(reverse("admin:logout")).status_code == 405
        assert client.post(reverse("admin:logout")).headers["Location"] == LOGIN
        assert "_auth_user_id" not in client.session


GOOD_NEXT = ("/admin/jobs/", "/admin/core/auditentry/?q=x")
BAD_NEXT = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    " https://evil.example",
    "https:evil.example",
    "http://testserver@evil.example/",
    "/\t/evil.example",
)


@pytest.mark.parametrize("wanted", [*GOOD_NEXT, *BAD_NEXT])
def test_leads_only_to_our_own_addresses_afterwards(client: Client, wanted: str) -> None:
    user = make_staff()
    device = enrol(user)
    step = give_password(client, user.email, next=wanted).headers["Location"]
    assert step.startswith(CODE)
    answer = client.post(step, {"code": code_of(device), "next": wanted})
    assert answer.headers["Location"] == (wanted if wanted in GOOD_NEXT else INDEX)


def test_a_form_without_its_csrf_token_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    assert give_password(client, make_staff().email).status_code == 403


def test_a_new_password_is_audited_and_ends_the_other_sessions(client: Client) -> None:
    user, other = make_staff(), Client()
    sign_in(client, user)
    sign_in(other, user)
    url = reverse("admin:password_change")
    assert client.get(url).status_code == 200
    new = {"new_password1": "quite-another-passphrase", "new_password2": "quite-another-passphrase"}
    assert client.post(url, {"old_password": "wrong", **new}).status_code == 200
    assert not AuditEntry.objects.filter(event="user.password_changed").exists()
    assert client.post(url, {"old_password": PASSWORD, **new}).status_code == 302
    assert AuditEntry.objects.filter(event="user.password_changed", target_id=str(user.pk)).count() == 1
    assert is_in(client)
    assert not is_in(other)


def test_sign_in_pages_keep_the_strict_policy_and_are_not_stored(client: Client) -> None:
    for answer in (client.get(LOGIN), give_password(client, "x@example.com", "wrong")):
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "no-store" in answer.headers["Cache-Control"]
