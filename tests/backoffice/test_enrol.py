"""Setting up the second factor: each session sees a secret of its own, and the first confirmation ends all others."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.sign_in.second_factor import WAITS_AT_MOST
from apps.core import clock
from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.tenants.models import RecoveryCode, User
from tests.backoffice.people import client_of, code_of, give_password, wrong_code_of
from tests.core.threads import at_once
from tests.factories.tenants import make_staff
from tests.markup import Page

CODE, ENROL, INDEX = (reverse(f"admin:{name}") for name in ("second_factor", "enrol", "index"))


def half_open(user: User) -> tuple[Client, TOTPDevice]:
    """A browser at the page of enrolment, and the device whose secret that page shows."""
    client = Client()
    assert give_password(client, user.email).headers["Location"] == ENROL
    return client, shown_device(client)


def shown_device(client: Client) -> TOTPDevice:
    text = Page(client.get(ENROL).content.decode()).text
    found = [
        device
        for device in TOTPDevice.objects.all()
        if base64.b32encode(device.bin_key).decode() in text.replace(" ", "")
    ]
    assert len(found) == 1
    return found[0]


def is_in(client: Client) -> bool:
    return client.get(INDEX).status_code == 200


def confirm(client: Client, device: TOTPDevice) -> int:
    return client.post(ENROL, {"code": code_of(device)}).status_code


@pytest.mark.django_db
def test_each_session_sees_a_secret_of_its_own_and_the_same_one_again() -> None:
    user = make_staff()
    (mine, my_device), (_, their_device) = half_open(user), half_open(user)
    assert my_device.key != their_device.key
    assert shown_device(mine) == my_device
    assert shown_device(mine) == my_device


@pytest.mark.django_db
def test_whoever_had_the_password_first_keeps_no_working_factor() -> None:
    """The attack: see the secret, let the person enrol, then sign in with password and a code of that secret."""
    user = make_staff()
    stranger, seen = half_open(user)
    person, own = half_open(user)
    with time_machine.travel(clock.now(), tick=False) as traveller:
        assert confirm(person, own) == 200
        assert is_in(person)
        traveller.shift(timedelta(minutes=2))
        # In the half-open session, and in a fresh one.
        for client in (stranger, Client()):
            give_password(client, user.email)
            assert client.post(CODE, {"code": code_of(seen)}).status_code == 200
            assert client.post(ENROL, {"code": code_of(seen)}).status_code == 302
            assert not is_in(client)
    assert list(TOTPDevice.objects.values_list("pk", "confirmed")) == [(own.pk, True)]


@pytest.mark.django_db
def test_a_code_of_another_sessions_secret_enrols_nothing() -> None:
    user = make_staff()
    (mine, _), (_, theirs) = half_open(user), half_open(user)
    assert confirm(mine, theirs) == 200
    assert not is_in(mine)
    assert not TOTPDevice.objects.filter(confirmed=True).exists()
    assert not RecoveryCode.objects.exists()
    assert not AuditEntry.objects.filter(event="user.second_factor_enrolled").exists()


@pytest.mark.django_db
def test_nobody_confirms_with_another_persons_session() -> None:
    (mine, _), (_, theirs) = half_open(make_staff()), half_open(make_staff())
    session = mine.session
    session["enrolling_device"] = theirs.pk
    session.save()
    assert confirm(mine, theirs) == 200
    assert not is_in(mine)
    assert not TOTPDevice.objects.filter(confirmed=True).exists()


@pytest.mark.django_db
def test_removing_the_factor_removes_what_waits_and_the_recovery_codes() -> None:
    user = make_staff()
    stranger, seen = half_open(user)
    person, own = half_open(user)
    confirm(person, own)
    # As a version before this one left it: a secret that waited since before the confirmation.
    seen.save(force_insert=True)
    assert RecoveryCode.objects.filter(user=user).count() == 10
    url = reverse("admin:tenants_user_remove_second_factor", args=(user.pk,))
    client_of(Role.PLATFORM_ADMIN).post(url, {"reason": "lost phone"})
    assert not TOTPDevice.objects.filter(user=user).exists()
    assert not RecoveryCode.objects.filter(user=user).exists()
    assert not is_in(person)
    assert confirm(stranger, seen) == 200
    assert not is_in(stranger)
    assert shown_device(stranger).key != seen.key


@pytest.mark.django_db
def test_a_secret_that_waited_too_long_is_replaced_and_the_page_says_so() -> None:
    user = make_staff()
    with time_machine.travel(clock.now(), tick=False) as traveller:
        client, old = half_open(user)
        traveller.shift(WAITS_AT_MOST + timedelta(seconds=1))
        answer = client.post(ENROL, {"code": code_of(old)})
        assert "previous secret has expired" in answer.content.decode()
        assert not is_in(client)
        fresh = shown_device(client)
        assert fresh.key != old.key
        assert confirm(client, fresh) == 200
        assert is_in(client)


@pytest.mark.django_db
def test_a_wrong_first_code_keeps_the_secret() -> None:
    client, device = half_open(make_staff())
    assert client.post(ENROL, {"code": wrong_code_of(device)}).status_code == 200
    assert shown_device(client) == device


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_of_sessions_that_confirm_at_once_one_enrols() -> None:
    user = make_staff()
    pairs = [half_open(user) for _ in range(5)]
    assert len({device.key for _, device in pairs}) == 5
    results = at_once(5, lambda number: confirm(*pairs[number]))
    assert not [result for result in results if isinstance(result, Exception)]
    assert sum(is_in(client) for client, _ in pairs) == 1
    assert TOTPDevice.objects.filter(user=user).count() == 1
    assert RecoveryCode.objects.filter(user=user).count() == 10
    assert Session.objects.count() >= 5
