"""Five wrong passwords for one address from one network end its sign-ins from there, for a while that is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from apps.core import clock
from tests.backoffice.people import give_password
from tests.factories.tenants import make_staff

pytestmark = pytest.mark.django_db


def test_the_fifth_wrong_password_locks_the_address_out_of_this_network() -> None:
    user, other = make_staff(), make_staff()
    client = Client()
    statuses = [give_password(client, user.email, "wrong").status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert statuses == [200, 200, 200, 200, 429]
    locked = give_password(client, user.email)
    assert locked.status_code == 429
    assert locked.headers["Retry-After"] == "900"
    assert "15 minutes" in locked.content.decode()
    assert user.email not in locked.content.decode()
    assert give_password(client, other.email).status_code == 302
    assert give_password(Client(REMOTE_ADDR="198.51.100.7"), user.email).status_code == 302


def test_an_unknown_address_is_locked_out_alike() -> None:
    statuses = [give_password(Client(), "nobody@example.com", "wrong").status_code for _ in range(6)]
    assert statuses == [200, 200, 200, 200, 429, 429]


def test_capitals_and_spaces_do_not_give_further_tries() -> None:
    email = make_staff().email
    variants = [email, email.upper(), f" {email}", email.title(), f"{email} "]
    assert [give_password(Client(), variant, "wrong").status_code for variant in variants][-1] == 429


def test_the_lock_ends_after_its_time_whatever_was_tried_meanwhile() -> None:
    user = make_staff()
    start = clock.now()
    with time_machine.travel(start, tick=False) as traveller:
        for _ in range(5):
            give_password(Client(), user.email, "wrong")
        traveller.shift(timedelta(minutes=10))
        assert give_password(Client(), user.email).status_code == 429
        traveller.shift(timedelta(minutes=6))
        assert give_password(Client(), user.email).status_code == 302
