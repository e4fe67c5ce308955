"""Passwords that are easy to guess are refused at every door that sets one (spec 11; ASVS 5, 6.2)."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.tenants.models import User
from apps.tenants.password_rules import without_patterns
from tests.architecture.sources import sources
from tests.backoffice.people import sign_in
from tests.factories.tenants import PASSWORD, make_staff

EMAIL, NAME = "annabelle.lindqvist@northwind.example", "Annabelle Lindqvist"

WEAK = (
    # digits alone, as they are found in leaks
    *("12345678901", "123456789012", "998877665544332211", "314159265358979323", "20260401202604"),
    # short ones
    *("", "short", "elevenchars"),
    # rows, there and back, and one after the other
    *("abcdefghijkl", "lkjihgfedcba", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjkl", "QWERTYUIOPasdf"),
    *(
        "1qaz2wsx3edc4rfv",
        "zxcvbnmasdfghjkl",
        "azertyuiopqsdfgh",
        "qwertzuiopasdf",
        "abcd1234efgh5678",
        "1234qwer1234qwer",
    ),
    # repetitions
    *(
        "aaaaaaaaaaaa",
        "abababababab",
        "abcabcabcabcabc",
        "password1password1password1",
        "!!!!!!!!!!!!!!",
        "üüüüüüüüüüüü",
    ),
    # where we are
    *(
        "countinghouse",
        "Countinghouse1!",
        "C0untingh0use2026",
        "countinghouse123",
        "billing-office-1",
        "BackOfficeAdmin",
    ),
    *("changeme12345", "Welcome-2026!", "letmein-letmein", "admin-admin-admin", "p@ssw0rdp@ssw0rd", "Password123456!"),
    # who one is
    *("annabelle.lindqvist", "AnnabelleLindqvist", "lindqvist-annabelle", "annabelle.lindqvist@northwind.example"),
)
STRONG = (
    *("correct-horse-sample", PASSWORD, "velvet anchor tulip", "Zx9#kPq2!vLm", "jumping over seven fences"),
    *(
        "пароль из четырёх слов",
        "一二三四五六七八九十百千",
        "9f86d081884c7d659a2f",
        "counting sheep at the billing desk",
        "x" * 3 + "mwq-plb-tzn-ghy",
    ),
)


def is_refused(password: str) -> bool:
    try:
        validate_password(password, User(email=EMAIL, name=NAME))
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize("password", WEAK)
def test_weak(password: str) -> None:
    assert is_refused(password)


@pytest.mark.parametrize("password", STRONG)
def test_strong(password: str) -> None:
    assert not is_refused(password)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("", ""),
        ("abc", "abc"),
        ("abcd", "a"),
        ("xabcdx", "xax"),
        ("dcba", "d"),
        ("aaa", "a"),
        ("aab", "aab"),
        ("qwertyx12345", "qx1"),
        ("horse", "horse"),
        ("abcdabcdabcd", "a"),
    ],
)
def test_what_is_left_without_patterns(text: str, rest: str) -> None:
    assert without_patterns(text) == rest


def at_create_staff(password: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv("STAFF_PASSWORD", password)
    with pytest.raises(CommandError) as refusal:
        call_command("create_staff", "--email", EMAIL, "--name", NAME, "--role", "support")
    return bool(str(refusal.value)) and not User.objects.filter(email=EMAIL).exists()


def at_password_change(password: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    user, client = make_staff(Role.SUPPORT, email=EMAIL), Client()
    sign_in(client, user)
    form = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    answer = client.post(reverse("admin:password_change"), form)
    user.refresh_from_db()
    is_audited = AuditEntry.objects.filter(event="user.password_changed").exists()
    return answer.status_code == 200 and user.check_password(PASSWORD) and not is_audited


DOORS: tuple[Callable[[str, pytest.MonkeyPatch], bool], ...] = (at_create_staff, at_password_change)


@pytest.mark.django_db
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "password",
    ["12345678901", "123456789012", "abcdefghijkl", "Countinghouse2026", "annabelle.lindqvist", "eleven-char"],
)
def test_each_door_refuses_and_changes_nothing(
    door: Callable[[str, pytest.MonkeyPatch], bool], password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert door(password, monkeypatch)


# Where passwords are set: each validates before, or sets the known one of sample people.
SETTERS = {"apps/tenants/services/passwords.py", "apps/tenants/services/staff.py", "apps/backoffice/seeding/tenants.py"}


def test_no_other_place_sets_a_password() -> None:
    found = {
        source.path
        for source in sources("apps")
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr in {"set_password", "make_password"}
    }
    assert found == SETTERS
    assert all(
        "guard_password(" in source.text
        for source in sources("apps")
        if source.path in SETTERS and "seeding" not in source.path
    )
