"""Every place that checks a secret limits guesses and says how long to wait; strangers stop nobody who is known."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.sign_in.recovery_codes import recovery_codes_make
from apps.core import clock
from apps.core.enums import Role
from apps.core.ids import UserId
from apps.tenants.models import User
from tests.architecture.sources import sources
from tests.backoffice.people import code_of, enrol, give_password, sign_in, wrong_code_of
from tests.contexts import console_context
from tests.factories.tenants import PASSWORD, make_signing_in_user, make_staff
from tests.markup import Page

pytestmark = pytest.mark.django_db

LOGIN, CODE, RECOVER, INDEX = (reverse(f"admin:{name}") for name in ("login", "second_factor", "recover", "index"))
CHANGE, SETTINGS, TENANTS = (
    reverse("admin:password_change"),
    reverse("admin:second_factor_settings"),
    reverse("sign-in"),
)
NEW = "correct-battery-of-tests"
Knock = Callable[[Client, User, bool], Any]


def at_tenants(client: Client, user: User, is_right: bool) -> Any:
    return client.post(TENANTS, {"username": user.email, "password": PASSWORD if is_right else "wrong"})


def at_staff(client: Client, user: User, is_right: bool) -> Any:
    return give_password(client, user.email, PASSWORD if is_right else "wrong")


def at_old_password(client: Client, user: User, is_right: bool) -> Any:
    sign_in(client, user)
    old = PASSWORD if is_right else "wrong"
    return client.post(CHANGE, {"old_password": old, "new_password1": NEW, "new_password2": NEW})


def at_code(client: Client, user: User, is_right: bool) -> Any:
    device = TOTPDevice.objects.filter(user=user).first() or enrol(user)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.post(CODE, {"code": code_of(device) if is_right else wrong_code_of(device)})


def at_recovery(client: Client, user: User, is_right: bool) -> Any:
    if not TOTPDevice.objects.filter(user=user).exists():
        enrol(user)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    codes = recovery_codes_make(console_context(), user_id=UserId(user.pk)) if is_right else ["7KQD-M3XA-9TRE-2HWB"]
    return client.post(RECOVER, {"code": codes[0]})


def at_new_codes(client: Client, user: User, is_right: bool) -> Any:
    sign_in(client, user)
    device = TOTPDevice.objects.get(user=user)
    return client.post(SETTINGS, {"code": code_of(device) if is_right else wrong_code_of(device)})


DOORS: dict[str, tuple[Knock, int]] = {
    "tenants' sign-in": (at_tenants, 20),
    "staff's sign-in": (at_staff, 20),
    "old password": (at_old_password, 20),
    "code": (at_code, 10),
    "recovery code": (at_recovery, 10),
    "new recovery codes": (at_new_codes, 10),
}


def is_good(answer: Any) -> bool:
    """Whether the secret was taken: led on, or shown fresh codes."""
    return answer.status_code == 302 or 'class="codes"' in answer.content.decode()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.slow
def test_five_wrong_ones_from_an_address_and_the_next_is_not_looked_at(door: str) -> None:
    knock, _ = DOORS[door]
    user = make_staff(Role.PLATFORM_ADMIN)
    with time_machine.travel(clock.now(), tick=False) as traveller:
        before = User.objects.get(pk=user.pk).password
        assert [knock(Client(), user, False).status_code for _ in range(5)] == [200] * 5
        refused = knock(Client(), user, True)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "900")
        text = Page(refused.content.decode()).text
        assert "15 minutes" in text
        assert "did not check" in text
        assert "no-store" in refused.headers["Cache-Control"]
        assert User.objects.get(pk=user.pk).password == before
        # Another address has tries of its own; here the wait ends when it was told to.
        assert is_good(knock(Client(REMOTE_ADDR="198.51.100.7"), user, True))
        traveller.shift(timedelta(minutes=15))
        User.objects.filter(pk=user.pk).update(password=before)
        assert is_good(knock(Client(), User.objects.get(pk=user.pk), True))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.slow
def test_many_addresses_have_a_limit_together(door: str) -> None:
    knock, in_all = DOORS[door]
    user = make_staff(Role.PLATFORM_ADMIN)
    statuses = [
        knock(Client(REMOTE_ADDR=f"198.51.100.{number}"), user, False).status_code for number in range(in_all + 2)
    ]
    assert statuses == [200] * in_all + [429] * 2
    assert knock(Client(REMOTE_ADDR="203.0.113.1"), user, True).status_code == 429


@pytest.mark.parametrize("path", [LOGIN, TENANTS])
@pytest.mark.slow
def test_one_address_has_a_limit_over_all_accounts(path: str) -> None:
    person = make_staff()
    statuses = [
        Client().post(path, {"username": f"person{number}@example.com", "password": "wrong"}).status_code
        for number in range(52)
    ]
    assert statuses == [200] * 50 + [429] * 2
    assert Client().post(path, {"username": person.email, "password": PASSWORD}).status_code == 429
    assert (
        Client(REMOTE_ADDR="198.51.100.7").post(path, {"username": person.email, "password": PASSWORD}).status_code
        == 302
    )


def attack(user: User) -> None:
    """From many addresses, and many times from the person's own."""
    for number in range(30):
        address = "127.0.0.1" if number % 2 else f"198.51.100.{number}"
        at_tenants(Client(REMOTE_ADDR=address), user, False)
        at_code(Client(REMOTE_ADDR=address), user, False)


@pytest.mark.slow
def test_an_attack_keeps_no_tenant_out_of_the_browser_they_use(client: Client) -> None:
    user = make_signing_in_user()
    assert at_tenants(client, user, True).status_code == 302
    client.post(reverse("sign-out"))
    attack(user)
    assert at_tenants(Client(REMOTE_ADDR="203.0.113.1"), user, True).status_code == 429
    assert at_tenants(client, user, False).status_code == 200
    assert at_tenants(client, user, True).status_code == 302


@pytest.mark.slow
@pytest.mark.slow
def test_an_attack_keeps_no_staff_out_of_the_browser_they_use() -> None:
    user, client = make_staff(), Client()
    device = enrol(user)
    start = clock.now()
    with time_machine.travel(start, tick=False) as traveller:
        give_password(client, user.email)
        assert client.post(CODE, {"code": code_of(device)}).status_code == 302
        client.post(reverse("admin:logout"))
        attack(user)
        traveller.shift(timedelta(minutes=1))
        assert give_password(client, user.email).headers["Location"] == CODE
        assert client.post(CODE, {"code": code_of(device)}).headers["Location"] == INDEX


def test_the_password_alone_makes_no_browser_known_for_codes() -> None:
    """Or whoever has the password would fetch fresh tries at the second factor with each sign-in."""
    user = make_staff()
    device = enrol(user)
    statuses = []
    for _ in range(8):
        client = Client()
        at_tenants(client, user, True)
        give_password(client, user.email)
        statuses.append(client.post(CODE, {"code": wrong_code_of(device)}).status_code)
    assert statuses == [200] * 5 + [429] * 3


def test_a_refusal_tells_nothing_of_whether_the_account_exists() -> None:
    known, bodies = make_staff().email, []
    for path in (LOGIN, TENANTS):
        for email in (known, "nobody@example.com"):
            for _ in range(6):
                answer = Client().post(path, {"username": email, "password": "wrong"})
            assert answer.status_code == 429
            bodies.append(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode()))
            assert email not in bodies[-1]
    assert bodies[0] == bodies[1]
    assert len(set(bodies)) <= 2 or bodies[2] == bodies[3]


# Where the product checks a secret that a person gives: each of these functions counts the guess first.
CHECKS_SECRETS = {"check_password", "verify_token", "authenticate", "verify", "match_token", "recovery_code_use"}
COUNTED = {
    "apps/tenants/sign_in/forms.py": "one_guess",
    "apps/backoffice/sign_in/second_factor.py": "begin_guess",
    # Called by the former alone.
    "apps/backoffice/sign_in/recovery_codes.py": "recovery_code_use",
    # Service tokens: slowed by `apps.tenants.tokens`. What they call is the token check.
    "apps/tenants/authentication.py": "caller_of",
    "apps/credits/api/hot.py": "_TOKENS",
}
# What is no secret of a person: signatures of providers, of mails, and of hash chains.
OTHERS = ("apps/payments/", "apps/connectors/", "apps/core/")


def callers(names: set[str], folder: str = "apps") -> set[str]:
    """The files that call one of the names."""
    return {
        source.path
        for source in sources(folder)
        for node in source.nodes
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) in names
        and not source.path.startswith(OTHERS)
    }


@pytest.mark.slow
def test_no_other_place_checks_a_secret() -> None:
    assert callers(CHECKS_SECRETS) == set(COUNTED)
    for path, guard in COUNTED.items():
        assert guard in next(source.text for source in sources("apps") if source.path == path)
    # Django's own forms check passwords: only forms that count first may stand on them.
    forms = {"AuthenticationForm", "PasswordChangeForm"}
    subclassed = {
        source.path: source.text
        for source in sources("apps")
        for node in source.nodes
        if isinstance(node, ast.ClassDef) and forms & {getattr(base, "id", "") for base in node.bases}
    }
    assert len(subclassed) >= 2
    assert all("one_guess(" in text for text in subclassed.values())
