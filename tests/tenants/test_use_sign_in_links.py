"""Links by mail: looked at without effect, used once, and refused with a page of their own that changes nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import Role
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry, OutboxItem
from apps.tenants.enums import LinkKind
from apps.tenants.models import Organization, SignInLink, User
from apps.tenants.services import member_remove, sign_in_link_send, staff_create, user_upsert
from tests.contexts import console_context
from tests.factories.tenants import (
    PASSWORD,
    make_membership,
    make_organization,
    make_signing_in_user,
    make_user,
)
from tests.markup import Page
from tests.tenants.mailbox import delivered, link_sent_to

HOME, FRESH = reverse("billing-home"), "three-words-and-a-river"
CHOICE = {"new_password1": FRESH, "new_password2": FRESH}
UNKNOWN = reverse("sign-in-link", args=["chl_" + "A" * 43])


def member(name: str = "Northwind") -> tuple[User, Organization]:
    user, organization = make_user(), make_organization(name)
    make_membership(organization, user)
    return user, organization


def send(user: User, kind: LinkKind) -> str:
    """The path of a link that was mailed to the person."""
    sign_in_link_send(console_context(), user_id=UserId(user.pk), kind=kind, reason="for the test")
    return link_sent_to(user.email)


def is_signed_in(client: Client, user: User) -> bool:
    return client.session.get("_auth_user_id") == str(user.pk)


def has_session(client: Client) -> bool:
    """Asked of the browser: to ask the client's own `session` would begin one."""
    return "sessionid" in client.cookies


def fingerprint() -> list[Any]:
    """Everything that a look, or a refusal, must leave as it was."""
    users = User.objects.order_by("pk").values_list("pk", "password", "last_login", "is_active")
    return [
        *users,
        *SignInLink.objects.order_by("pk").values_list("pk", "used_at", "replaced_at"),
        AuditEntry.objects.count(),
        OutboxItem.objects.count(),
        Session.objects.count(),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [LinkKind.INVITATION, LinkKind.PASSWORD_RESET])
def test_a_link_that_sets_a_password_lets_in_once(kind: LinkKind) -> None:
    user, _ = member()
    path, client = send(user, kind), Client()
    answer = client.post(path, CHOICE)
    assert (answer.status_code, answer.headers["Location"]) == (302, HOME)
    assert is_signed_in(client, user)
    user.refresh_from_db()
    assert user.check_password(FRESH)
    assert [message.subject for message in delivered()] == ["Your password was changed"]

    again = Client()
    before = fingerprint()
    assert (
        again.post(
            path, {"new_password1": "another-long-word-set", "new_password2": "another-long-word-set"}
        ).status_code
        == 410
    )
    assert fingerprint() == before
    assert not is_signed_in(again, user)


@pytest.mark.django_db
def test_a_sign_in_link_lets_in_and_leaves_the_password_alone() -> None:
    user = make_signing_in_user()
    make_membership(make_organization(), user)
    path, client = send(user, LinkKind.SIGN_IN), Client()
    assert client.post(path).status_code == 302
    assert is_signed_in(client, user)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert AuditEntry.objects.filter(event="user.sign_in_link_used", target_id=user.pk).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [LinkKind.INVITATION, LinkKind.PASSWORD_RESET, LinkKind.SIGN_IN])
def test_a_mail_scanner_that_looks_changes_nothing(kind: LinkKind) -> None:
    user, _ = member()
    path = send(user, kind)
    before = fingerprint()
    for method in ("GET", "HEAD", "GET", "OPTIONS"):
        answer: Any = Client().generic(method, path)
        assert answer.status_code == (405 if method == "OPTIONS" else 200)
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert Page(answer.content.decode()).inline == []
    assert fingerprint() == before
    assert Client().post(path, CHOICE).status_code == 302


def _late(user: User, organization: Organization) -> None:
    SignInLink.objects.filter(user=user).update(expires_at=clock.now())


def _used(user: User, organization: Organization) -> None:
    SignInLink.objects.filter(user=user).update(used_at=clock.now())


def _replaced(user: User, organization: Organization) -> None:
    sign_in_link_send(console_context(), user_id=UserId(user.pk), kind=LinkKind.INVITATION)


def _moved(user: User, organization: Organization) -> None:
    user_upsert(console_context(), user_id=UserId(user.pk), email="new-address@example.com", name=user.name)


def _closed(user: User, organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(closed_at=clock.now())


def _left(user: User, organization: Organization) -> None:
    member_remove(console_context(), organization_id=OrganizationId(organization.pk), user_id=UserId(user.pk))


def _deactivated(user: User, organization: Organization) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _staff(user: User, organization: Organization) -> None:
    staff_create(console_context(), email=user.email, name="", role=Role.SUPPORT, password=PASSWORD)


REFUSALS = {
    "late": (_late, 410, "has expired"),
    "used": (_used, 410, "was already used"),
    "replaced by a newer one": (_replaced, 410, "was replaced"),
    "to an address that was given up": (_moved, 410, "was replaced"),
    "of a closed organization": (_closed, 410, "is closed"),
    "of a former member": (_left, 410, "no longer a member"),
    "of a deactivated person": (_deactivated, 403, "t sign in with a link"),
    "of somebody who became staff": (_staff, 403, "t sign in with a link"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("change", "status", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_link_that_is_good_for_nothing_says_why_and_changes_nothing(
    change: Callable[[User, Organization], None], status: int, words: str
) -> None:
    user, organization = member()
    path = send(user, LinkKind.INVITATION)
    change(user, organization)
    before = fingerprint()
    for method in ("GET", "POST"):
        client = Client()
        answer: Any = client.get(path) if method == "GET" else client.post(path, CHOICE)
        text = Page(answer.content.decode()).text
        assert (answer.status_code, words in text, "Nothing was changed." in text) == (status, True, True)
        assert not has_session(client)
    assert fingerprint() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["x", "chl_", "chl_" + "A" * 42, "chl_" + "A" * 44, "chp_1f2e3d4c_" + "A" * 43, "%00", "ä" * 47]
)
def test_an_address_that_is_no_link_is_told_apart_from_nothing(text: str) -> None:
    before = fingerprint()
    for path in (UNKNOWN, reverse("sign-in-link", args=[text])):
        assert Client().post(path, CHOICE).status_code == 404
        assert "link does not work" in Client().get(path).content.decode()
    assert fingerprint() == before


@pytest.mark.django_db
def test_somebody_elses_session_is_kept_and_may_be_ended_first() -> None:
    user, _ = member()
    path, other = send(user, LinkKind.INVITATION), make_signing_in_user()
    client = Client()
    client.force_login(other)
    before = fingerprint()
    for answer in (client.get(path), client.post(path, CHOICE)):
        assert answer.status_code == 409
        assert other.email in Page(answer.content.decode()).text
        assert user.email not in answer.content.decode()
    assert fingerprint() == before
    assert is_signed_in(client, other)

    answer = client.post(reverse("sign-out"), {"next": path})
    assert answer.headers["Location"] == path
    assert client.post(path, CHOICE).status_code == 302
    assert is_signed_in(client, user)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/sign-in/link/",
        "//evil.example",
        "/sign-in/link/\\evil",
        "/admin/",
        "",
        "/sign-in/link/\r\nX: y",
    ],
)
def test_signing_out_leads_to_a_link_of_ours_or_to_the_sign_in(wanted: str) -> None:
    answer = cast("HttpResponse", Client().post(reverse("sign-out"), {"next": wanted}))
    assert answer.headers["Location"] == reverse("sign-in")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "choice",
    [
        {"new_password1": "short", "new_password2": "short"},
        {"new_password1": "password1234", "new_password2": "password1234"},
        {"new_password1": FRESH, "new_password2": FRESH + "!"},
        {"new_password1": "y" * 5000, "new_password2": "y" * 5000},
        {"new_password1": FRESH},
        {},
    ],
)
def test_a_password_that_will_not_do_leaves_the_link_good(choice: dict[str, str]) -> None:
    user, _ = member()
    path, client = send(user, LinkKind.PASSWORD_RESET), Client()
    before = fingerprint()
    answer = client.post(path, choice)
    assert answer.status_code == 200
    assert not has_session(client)
    assert fingerprint() == before
    assert client.post(path, CHOICE).status_code == 302


@pytest.mark.django_db
def test_a_post_without_the_pages_own_token_does_nothing() -> None:
    path = send(member()[0], LinkKind.SIGN_IN)
    before = fingerprint()
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    assert fingerprint() == before


@pytest.mark.django_db
def test_the_session_has_a_new_key_and_forgets_what_the_one_before_knew() -> None:
    path, client = send(member()[0], LinkKind.SIGN_IN), Client()
    session = client.session
    session["left"] = "by somebody"
    session.save()
    client.cookies["sessionid"] = session.session_key or ""
    client.post(path)
    assert client.session.session_key != session.session_key
    assert "left" not in client.session
    assert not Session.objects.filter(session_key=session.session_key).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_of_many_who_use_a_link_at_once_one_is_let_in() -> None:
    user, _ = member()
    path = send(user, LinkKind.PASSWORD_RESET)
    barrier, answers = threading.Barrier(8), []

    def use() -> None:
        client = Client()
        client.get(path)
        barrier.wait()
        answers.append(client.post(path, CHOICE).status_code)
        connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answers) == {302: 1, 410: 7}
    assert AuditEntry.objects.filter(event="user.sign_in_link_used").count() == 1
