"""Links are sent to those whom they may let in, and their secret is in the mail alone."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.mail import EmailMultiAlternatives
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.errors import CountinghouseError
from apps.core.ids import UserId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.observability.redaction import Redactor
from apps.tenants.enums import LinkKind
from apps.tenants.models import SignInLink, User
from apps.tenants.services import sign_in_link_send
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_organization, make_signing_in_user, make_staff, make_user
from tests.tenants.mailbox import delivered, link_sent_to, path_in
from tests.tenants.test_use_sign_in_links import fingerprint, member, send

pytestmark = pytest.mark.django_db


def test_the_link_is_mailed_and_audited() -> None:
    user, said = make_user("ann@example.com"), StringIO()
    call_command("send_sign_in_link", "Ann@Example.com", reason="ticket 4711", stdout=said)
    assert said.getvalue() == "The link is on its way to ann@example.com.\n"
    assert link_sent_to(user.email).startswith("/sign-in/link/")
    assert AuditEntry.objects.get(event="user.sign_in_link_sent").reason == "ticket 4711"


def test_unknown_addresses_and_staff_are_refused() -> None:
    for email, words in (("nobody@example.com", "No user has"), (make_staff().email, "staff account")):
        with pytest.raises(CommandError, match=words):
            call_command("send_sign_in_link", email)
    assert delivered() == []


def test_the_secret_is_nowhere_but_in_the_mail() -> None:
    user, _ = member()
    sign_in_link_send(console_context(), user_id=UserId(user.pk), kind=LinkKind.SIGN_IN)
    link = SignInLink.objects.get(user=user)
    assert link.sealed_token is not None
    token = path_in(delivered()[0]).split("/")[-2]
    assert len(token) == 47
    link.refresh_from_db()
    assert link.sealed_token is None
    rows = [*SignInLink.objects.values(), *OutboxItem.objects.values(), *AuditEntry.objects.values()]
    assert token not in repr(rows)
    line = f"POST /sign-in/link/{token}/ HTTP/1.1"
    assert token[10:] not in Redactor().text(line)


def test_a_second_try_of_the_same_mail_carries_the_same_link(monkeypatch: pytest.MonkeyPatch) -> None:
    user, _ = member()
    sign_in_link_send(console_context(), user_id=UserId(user.pk), kind=LinkKind.SIGN_IN)
    seen: list[str] = []

    def break_off(message: EmailMultiAlternatives) -> None:
        seen.append(path_in(message))
        raise OSError("the mail server went away")

    with monkeypatch.context() as broken:
        broken.setattr(EmailMultiAlternatives, "send", break_off)
        assert delivered() == []
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        assert link_sent_to(user.email) == seen[0]


@pytest.mark.parametrize(
    ("kind", "good", "late"),
    [(LinkKind.INVITATION, "6d23h", "7d"), (LinkKind.PASSWORD_RESET, "29m", "30m"), (LinkKind.SIGN_IN, "29m", "30m")],
)
def test_how_long_a_link_lives(kind: LinkKind, good: str, late: str) -> None:
    spans = {
        "6d23h": timedelta(days=6, hours=23),
        "7d": timedelta(days=7),
        "29m": timedelta(minutes=29),
        "30m": timedelta(minutes=30),
    }
    user, _ = member()
    path, sent = send(user, kind), clock.now()
    with time_machine.travel(sent + spans[good]):
        assert Client().get(path).status_code == 200
    with time_machine.travel(sent + spans[late]):
        assert Client().get(path).status_code == 410


def test_who_is_sent_no_link(settings: Settings) -> None:
    demo_only = make_user()
    make_membership(make_organization(is_demo=True), demo_only)
    gone = make_user()
    User.objects.filter(pk=gone.pk).update(is_active=False)
    stranger = make_user()
    cases = [
        (make_staff(), LinkKind.SIGN_IN, "staff_account"),
        (make_staff(), LinkKind.PASSWORD_RESET, "staff_account"),
        (demo_only, LinkKind.SIGN_IN, "demo"),
        (gone, LinkKind.SIGN_IN, "account_deactivated"),
        (stranger, LinkKind.INVITATION, "not_a_member"),
        (make_signing_in_user(), LinkKind.INVITATION, "has_signed_in"),
    ]
    before = fingerprint()
    for user, kind, code in cases:
        with pytest.raises(CountinghouseError) as refused:
            sign_in_link_send(console_context(), user_id=UserId(user.pk), kind=kind)
        assert refused.value.problem_code == code
    settings.PASSWORD_SIGN_IN = False
    with pytest.raises(CountinghouseError) as refused:
        sign_in_link_send(console_context(), user_id=UserId(stranger.pk), kind=LinkKind.SIGN_IN)
    assert refused.value.problem_code == "signs_in_elsewhere"
    assert fingerprint() == before
    assert delivered() == []
