"""Recovery codes: shown once, stored hashed, good once each, made anew against a code (spec 02, How people sign in)."""

from __future__ import annotations

import re
from io import StringIO
from urllib.parse import unquote

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.sign_in.recovery_codes import (
    normal_code,
    recovery_code_use,
    recovery_codes_make,
)
from apps.core.enums import Role
from apps.core.ids import UserId
from apps.core.models import AuditEntry
from apps.tenants.models import RecoveryCode, User
from tests.backoffice.people import code_of, enrol, give_password, sign_in, wrong_code_of
from tests.contexts import console_context
from tests.core.threads import at_once
from tests.factories.tenants import make_signing_in_user, make_staff

CODE, RECOVER, ENROL, INDEX, SETTINGS = (
    reverse(f"admin:{name}") for name in ("second_factor", "recover", "enrol", "index", "second_factor_settings")
)
FORM = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}")


def is_in(client: Client) -> bool:
    return client.get(INDEX).status_code == 200


def codes_of(user: User) -> list[str]:
    return recovery_codes_make(console_context(), user_id=UserId(user.pk))


def at_the_code(user: User) -> Client:
    """A browser that has given the password and waits for the second factor."""
    client = Client()
    assert give_password(client, user.email).headers["Location"] == CODE
    return client


def enrolled() -> tuple[User, list[str]]:
    user = make_staff(Role.PLATFORM_ADMIN)
    enrol(user)
    return user, codes_of(user)


@pytest.mark.django_db
def test_enrolment_shows_ten_codes_once_and_stores_none_of_them(client: Client) -> None:
    user = make_staff()
    give_password(client, user.email)
    client.get(ENROL)
    page = client.post(ENROL, {"code": code_of(TOTPDevice.objects.get(user=user))})
    shown = re.findall(f"<code>({FORM.pattern})</code>", page.content.decode())
    assert len(set(shown)) == 10
    assert "no-store" in page.headers["Cache-Control"]
    file = re.search(r'href="data:text/plain;charset=utf-8,([^"]+)"', page.content.decode())
    assert file is not None
    assert FORM.findall(unquote(file[1])) == shown
    assert user.email in unquote(file[1])
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM tenants_recoverycode t")
        stored = cursor.fetchone()[0]
    for code in shown:
        assert code.replace("-", "") not in stored
        assert code.replace("-", "")[4:] not in stored
        assert code not in str(dict(client.session)) + str(list(AuditEntry.objects.values()))
    hashes = list(RecoveryCode.objects.values_list("secret_hash", flat=True))
    assert len({stored_hash.split("$")[2] for stored_hash in hashes}) == 10
    for path in (ENROL, SETTINGS, INDEX):
        assert not FORM.search(client.get(path, follow=True).content.decode())
    assert AuditEntry.objects.filter(event="user.recovery_codes_made", target_id=str(user.pk)).count() == 1


@pytest.mark.django_db
def test_a_recovery_code_stands_in_for_the_authenticator_once() -> None:
    user, codes = enrolled()
    client = at_the_code(user)
    answer = client.post(RECOVER, {"code": codes[3], "next": "/admin/jobs/"})
    assert answer.headers["Location"] == "/admin/jobs/"
    inside = client.get(INDEX)
    assert inside.status_code == 200
    assert "You have 9 of 10 left" in inside.content.decode()
    entry = AuditEntry.objects.get(event="user.recovery_code_used")
    assert (entry.target_id, entry.after) == (str(user.pk), {"codes_left": 9})
    again = at_the_code(user)
    refused = again.post(RECOVER, {"code": codes[3]})
    assert refused.status_code == 200
    assert "already used it" in refused.content.decode()
    assert not is_in(again)
    assert AuditEntry.objects.filter(event="user.recovery_code_used").count() == 1


@pytest.mark.django_db
@pytest.mark.slow
def test_all_ten_work_and_the_last_ones_warn() -> None:
    user, codes = enrolled()
    told = []
    for code in codes:
        client = at_the_code(user)
        client.post(RECOVER, {"code": code})
        told.append(re.search(r"You used a recovery code. You have (.*?) left", client.get(INDEX).content.decode()))
    said = [found[1] if found else "" for found in told]
    assert said[0] == "9 of 10"
    assert said[-4:] == ["only 3 of 10", "only 2 of 10", "only 1 of 10", "none"]


@pytest.mark.django_db
@pytest.mark.parametrize("written", ["{0}", " {0} ", "{1}", "{2}", "{3}", "{4}", "{5}"])
def test_a_code_is_taken_however_it_is_written(written: str) -> None:
    user, codes = enrolled()
    code = codes[0]
    variants = (
        code,
        code.lower(),
        code.replace("-", ""),
        code.replace("-", " - "),
        code.replace("-", "\u2013"),
        code.replace("0", "O").replace("1", "l"),
    )
    client = at_the_code(user)
    assert client.post(RECOVER, {"code": written.format(*variants)}).status_code == 302


@pytest.mark.parametrize(
    "text",
    [
        *("", "7KQD", "7KQD-M3XA-9TRE-2HW", "7KQD-M3XA-9TRE-2HWBX", "7KQD-M3XA-9TRE-2HWU", "é" * 16),
        *("\uff17KQD-M3XA-9TRE-2HWB", "\0KQDM3XA9TRE2HWB", "7KQD/M3XA/9TRE/2HWB"),
    ],
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert normal_code(text) is None


@pytest.mark.django_db
@pytest.mark.parametrize("which", ["selector of one, rest of another", "somebody else's", "made up", "before new ones"])
def test_codes_that_are_not_the_persons_let_nobody_in(which: str) -> None:
    user, codes = enrolled()
    _, others = enrolled()
    tried = {
        "selector of one, rest of another": codes[0][:4] + codes[1][4:],
        "somebody else's": others[0],
        "made up": "7KQD-M3XA-9TRE-2HWB",
        "before new ones": codes[0],
    }[which]
    if which == "before new ones":
        codes_of(user)
    client = at_the_code(user)
    assert client.post(RECOVER, {"code": tried}).status_code == 200
    assert not is_in(client)
    assert RecoveryCode.objects.filter(used_at=None).count() == 20


@pytest.mark.django_db
def test_the_page_is_for_people_between_password_and_second_factor_alone() -> None:
    user, codes = enrolled()
    stranger, without_factor, tenant, inside = Client(), Client(), Client(), Client()
    give_password(without_factor, make_staff().email)
    tenant.force_login(make_signing_in_user(), backend="django.contrib.auth.backends.ModelBackend")
    sign_in(inside, user)
    for client in (stranger, without_factor, tenant, inside):
        for method in ("get", "post"):
            assert getattr(client, method)(RECOVER, {"code": codes[0]}).status_code == 302
    assert RecoveryCode.objects.filter(used_at=None).count() == 10
    assert [is_in(client) for client in (stranger, without_factor, tenant)] == [False] * 3


@pytest.mark.django_db
def test_new_codes_want_a_code_of_the_authenticator_and_end_the_old_ones(client: Client) -> None:
    user, old = enrolled()
    sign_in(client, user)
    device = TOTPDevice.objects.get(user=user)
    before = set(RecoveryCode.objects.values_list("pk", flat=True))
    assert "<b>10</b> of 10" in client.get(SETTINGS).content.decode()
    for wrong in (wrong_code_of(device), "", old[0]):
        assert client.post(SETTINGS, {"code": wrong}).status_code == 200
        assert set(RecoveryCode.objects.values_list("pk", flat=True)) == before
    page = client.post(SETTINGS, {"code": code_of(device)})
    fresh = re.findall(f"<code>({FORM.pattern})</code>", page.content.decode())
    assert len(set(fresh)) == 10
    assert not set(fresh) & set(old)
    assert RecoveryCode.objects.count() == 10
    assert not recovery_code_use(UserId(user.pk), old[0])
    assert recovery_code_use(UserId(user.pk), fresh[0])
    assert "<b>9</b> of 10" in client.get(SETTINGS).content.decode()
    assert AuditEntry.objects.filter(event="user.recovery_codes_made", role="platform_admin").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_of_sign_ins_with_one_code_at_once_one_gets_in() -> None:
    user, codes = enrolled()
    clients = [at_the_code(user) for _ in range(4)]
    results = at_once(4, lambda number: clients[number].post(RECOVER, {"code": codes[0]}).status_code)
    assert sorted(str(result) for result in results) == ["200", "200", "200", "302"]
    assert sum(is_in(client) for client in clients) == 1
    assert RecoveryCode.objects.exclude(used_at=None).count() == 1


@pytest.mark.django_db
def test_the_session_of_a_recovery_code_ends_when_the_factor_is_removed() -> None:
    user, codes = enrolled()
    client = at_the_code(user)
    client.post(RECOVER, {"code": codes[0]})
    assert is_in(client)
    out = StringIO()
    call_command("remove_second_factor", user.email.upper(), "--reason", "phone and paper lost", stdout=out)
    assert "new second factor" in out.getvalue()
    assert not is_in(client)
    assert not RecoveryCode.objects.filter(user=user).exists()
    entry = AuditEntry.objects.get(event="user.second_factor_removed")
    assert (entry.reason, entry.authorization_source) == ("phone and paper lost", "console")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("email", "reason", "said"),
    [
        ("nobody@example.com", "why", "no user"),
        ("without@example.com", "why", "no second factor"),
        ("with@example.com", " ", "--reason"),
    ],
)
def test_the_command_says_what_is_wrong_and_removes_nothing(email: str, reason: str, said: str) -> None:
    make_staff(email="without@example.com")
    enrol(make_staff(email="with@example.com"))
    with pytest.raises(CommandError, match=said):
        call_command("remove_second_factor", email, "--reason", reason)
    assert TOTPDevice.objects.count() == 1
