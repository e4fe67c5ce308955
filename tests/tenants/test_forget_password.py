"""Forgotten passwords: nobody learns which addresses are known, nobody's mailbox is flooded, old sessions end."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import cast

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.models import OutboxItem
from apps.tenants.guess_limits import LIMITS, Counted, GuessKind
from apps.tenants.link_rules import MAILS_A_MAILBOX
from apps.tenants.models import SignInLink, User
from tests.factories.tenants import (
    PASSWORD,
    make_membership,
    make_organization,
    make_signing_in_user,
    make_staff,
    make_user,
)
from tests.sent import statements
from tests.tenants.mailbox import delivered, link_sent_to

pytestmark = pytest.mark.django_db

FORGOT, SENT = reverse("forgot-password"), reverse("forgot-password-sent")
FRESH = "three-words-and-a-river"


def ask(email: str, address: str = "192.0.2.1") -> HttpResponse:
    return cast("HttpResponse", Client(REMOTE_ADDR=address).post(FORGOT, {"email": email}))


def cast_of_addresses() -> dict[str, str]:
    known, gone, demo = make_signing_in_user(), make_user(), make_user()
    make_membership(make_organization(), known)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    make_membership(make_organization(is_demo=True), demo)
    return {
        "known": known.email,
        "unknown": "nobody@example.com",
        "deactivated": gone.email,
        "demo": demo.email,
        "staff": make_staff().email,
    }


def test_every_address_gets_the_same_answer_after_the_same_work() -> None:
    answers, works, counts = set(), set(), set()
    for email in cast_of_addresses().values():
        with statements() as sent:
            answer = ask(email)
        answers.add((answer.status_code, answer.headers["Location"], answer.content))
        # What is done, without the values and the savepoints' numbers.
        works.add(tuple(re.sub(r"\d+", "0", line.split("\t")[4][:60]) for line in sent if "\tParse\t" in line))
        counts.add(len(sent))
    assert answers == {(302, SENT, b"")}
    assert (len(works), len(counts)) == (1, 1)
    assert "nobody" not in Client().get(SENT).content.decode()


def test_only_a_tenant_gets_a_link_and_staff_are_told_where_to_go() -> None:
    people = cast_of_addresses()
    for email in people.values():
        ask(email)
    found = {message.to[0]: message for message in delivered()}
    assert set(found) == {people["known"], people["staff"]}
    assert "/sign-in/link/" in str(found[people["known"]].body)
    assert "chl_" not in str(found[people["staff"]].body)
    assert "/admin/login/" in str(found[people["staff"]].body)
    assert list(SignInLink.objects.values_list("email", flat=True)) == [people["known"]]


def test_the_address_is_found_in_whatever_form_it_is_typed() -> None:
    user = make_signing_in_user()
    ask(f"  {user.email.upper()} ")
    assert link_sent_to(user.email)


def test_a_reset_ends_the_other_sessions_and_the_other_links() -> None:
    user = make_signing_in_user()
    elsewhere = Client()
    elsewhere.post(reverse("sign-in"), {"username": user.email, "password": PASSWORD})
    assert elsewhere.get(reverse("account")).status_code == 200
    ask(user.email)
    path, here = link_sent_to(user.email), Client()
    assert here.post(path, {"new_password1": FRESH, "new_password2": FRESH}).status_code == 302
    assert elsewhere.get(reverse("account")).status_code == 302
    assert here.get(reverse("account")).status_code == 200
    (told,) = delivered()
    assert (told.subject, told.to) == ("Your password was changed", [user.email])
    old, new = Client(), Client()
    old.post(reverse("sign-in"), {"username": user.email, "password": PASSWORD})
    new.post(reverse("sign-in"), {"username": user.email, "password": FRESH})
    assert ("_auth_user_id" in old.session, "_auth_user_id" in new.session) == (False, True)


def test_a_mailbox_is_sent_few_links_whoever_asks() -> None:
    user = make_signing_in_user()
    mails = []
    for number in range(MAILS_A_MAILBOX + 3):
        assert ask(user.email, address=f"192.0.2.{number}").status_code == 302
        mails += delivered()
    assert len(mails) == SignInLink.objects.filter(user=user).count() == MAILS_A_MAILBOX
    with time_machine.travel(clock.now() + timedelta(hours=1, minutes=1)):
        ask(user.email)
        delivered()
    assert SignInLink.objects.filter(user=user).count() == MAILS_A_MAILBOX + 1


def test_staff_are_told_once_an_hour() -> None:
    staff = make_staff()
    with time_machine.travel(clock.now().replace(minute=5), tick=False):
        for _ in range(4):
            ask(staff.email)
        assert len(delivered()) == 1


def test_a_network_that_asks_too_often_waits_and_the_others_do_not() -> None:
    allowed = next(limit.tries for limit in LIMITS[GuessKind.MAIL] if limit.counted is Counted.ADDRESS)
    for number in range(allowed):
        assert ask(f"user{number}@example.com").status_code == 302
    before = OutboxItem.objects.count()
    answer = ask("one-more@example.com")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert OutboxItem.objects.count() == before
    assert ask("one-more@example.com", address="192.0.2.2").status_code == 302
    with time_machine.travel(clock.now() + timedelta(hours=1, seconds=1)):
        assert ask("one-more@example.com").status_code == 302


@pytest.mark.parametrize(
    "email",
    [
        "",
        "x",
        "a@b",
        "@",
        "x" * 300 + "@example.com",
        "a@example.com, b@example.com",
        "a@example.com\nBcc: b@example.com",
    ],
)
def test_what_is_no_address_is_said_in_the_form(email: str) -> None:
    answer = ask(email)
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert OutboxItem.objects.count() == 0


def test_where_passwords_are_not_offered_there_is_nothing_to_forget(settings: Settings) -> None:
    settings.PASSWORD_SIGN_IN = False
    user = make_signing_in_user()
    assert ask(user.email).headers["Location"] == reverse("sign-in")
    assert delivered() == []
