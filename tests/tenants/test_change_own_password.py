"""The account page: a new password takes the old one, or a sign-in by link that is fresh."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.hashers import check_password
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.errors import ConflictError
from apps.core.ids import UserId
from apps.core.models import AuditEntry
from apps.tenants.enums import LinkKind
from apps.tenants.guess_limits import LIMITS, Counted, GuessKind
from apps.tenants.models import User
from apps.tenants.services import password_change, sign_in_link_send
from tests.contexts import console_context
from tests.factories.tenants import PASSWORD, make_signing_in_user, make_staff
from tests.markup import Page
from tests.tenants.mailbox import delivered, link_sent_to

pytestmark = pytest.mark.django_db

ACCOUNT = reverse("account")
FRESH = "three-words-and-a-river"
NEW = {"new_password1": FRESH, "new_password2": FRESH}


def signed_in(user: User) -> Client:
    client = Client()
    client.post(reverse("sign-in"), {"username": user.email, "password": PASSWORD})
    return client


def by_link(user: User) -> Client:
    sign_in_link_send(console_context(), user_id=UserId(user.pk), kind=LinkKind.SIGN_IN)
    client = Client()
    assert client.post(link_sent_to(user.email)).status_code == 302
    return client


def has_password(user: User, password: str) -> bool:
    return check_password(password, User.objects.values_list("password", flat=True).get(pk=user.pk))


def test_strangers_are_sent_to_the_sign_in() -> None:
    for answer in (Client().get(ACCOUNT), Client().post(ACCOUNT, NEW)):
        assert answer.headers["Location"].startswith(reverse("sign-in"))


def test_the_old_password_and_a_new_one_change_it_and_end_the_other_sessions() -> None:
    user = make_signing_in_user()
    here, elsewhere = signed_in(user), signed_in(user)
    key = here.session.session_key
    answer = here.post(ACCOUNT, {"old_password": PASSWORD, **NEW}, follow=True)
    assert "Your password is changed." in answer.content.decode()
    assert has_password(user, FRESH)
    assert here.session.session_key != key
    assert elsewhere.get(ACCOUNT).status_code == 302
    assert [message.to for message in delivered()] == [[user.email]]
    entry = AuditEntry.objects.get(event="user.password_set")
    assert (entry.actor_id, entry.target_id) == (str(user.pk), str(user.pk))


@pytest.mark.parametrize(
    "sent",
    [
        NEW,
        {"old_password": "", **NEW},
        {"old_password": "wrong", **NEW},
        {"old_password": FRESH, **NEW},
        {"old_password": PASSWORD, "new_password1": FRESH, "new_password2": "other"},
        {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"},
        {"old_password": "x" * 5000, **NEW},
    ],
)
def test_anything_less_changes_nothing(sent: dict[str, str]) -> None:
    user = make_signing_in_user()
    client, entries = signed_in(user), AuditEntry.objects.count()
    assert client.post(ACCOUNT, sent).status_code == 200
    assert has_password(user, PASSWORD)
    assert AuditEntry.objects.count() == entries
    assert delivered() == []


def test_guessing_the_old_password_is_limited_like_guessing_at_the_sign_in() -> None:
    user = make_signing_in_user()
    client = signed_in(user)
    # The browser has signed in, so that its own limit holds.
    limit = next(limit for limit in LIMITS[GuessKind.PASSWORD] if limit.counted is Counted.DEVICE)
    statuses = [client.post(ACCOUNT, {"old_password": f"guess {n}", **NEW}).status_code for n in range(limit.tries + 1)]
    assert statuses == [200] * limit.tries + [429]
    assert client.post(ACCOUNT, {"old_password": PASSWORD, **NEW}).status_code == 429
    assert has_password(user, PASSWORD)


def test_a_fresh_sign_in_by_link_needs_no_old_password_and_a_stale_one_does() -> None:
    user = make_signing_in_user()
    client = by_link(user)
    assert "Current password" not in Page(client.get(ACCOUNT).content.decode()).text
    with time_machine.travel(clock.now() + timedelta(minutes=31)):
        assert "Current password" in Page(client.get(ACCOUNT).content.decode()).text
        assert client.post(ACCOUNT, NEW).status_code == 200
        assert has_password(user, PASSWORD)
    assert client.post(ACCOUNT, NEW).status_code == 302
    assert has_password(user, FRESH)


def test_a_session_of_a_password_is_never_taken_for_one_of_a_link() -> None:
    user = make_signing_in_user()
    client = by_link(user)
    client.post(reverse("sign-out"))
    client.post(reverse("sign-in"), {"username": user.email, "password": PASSWORD})
    client.post(ACCOUNT, NEW)
    assert has_password(user, PASSWORD)


def test_staff_change_theirs_in_the_back_office() -> None:
    staff = make_staff()
    client = signed_in(staff)
    assert reverse("admin:password_change") in Page(client.get(ACCOUNT).content.decode()).links()
    assert client.post(ACCOUNT, {"old_password": PASSWORD, **NEW}).status_code == 403
    assert has_password(staff, PASSWORD)


def test_where_passwords_are_not_offered_none_is_changed(settings: Settings) -> None:
    user = make_signing_in_user()
    client = signed_in(user)
    settings.PASSWORD_SIGN_IN = False
    assert "identity service" in client.get(ACCOUNT).content.decode()
    assert client.post(ACCOUNT, {"old_password": PASSWORD, **NEW}).status_code == 403
    assert has_password(user, PASSWORD)


def test_a_staff_accounts_password_is_not_changed_here() -> None:
    staff = make_staff()
    before = AuditEntry.objects.count()
    with pytest.raises(ConflictError) as refusal:
        password_change(console_context(), user_id=UserId(staff.pk), password=FRESH)
    assert refusal.value.problem_code == "staff_account"
    assert not has_password(staff, FRESH)
    assert AuditEntry.objects.count() == before
    assert delivered() == []
