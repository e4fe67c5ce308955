"""Guesses are counted in every shape of attack and under real concurrency; who is known is stopped by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
import time_machine
from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from apps.core.input_text import InputTextHandler
from apps.core.wire.client_address import client_address
from apps.tenants.brute_force import Guess, TooManyGuessesError, begin_guess, clear_failures, one_guess
from apps.tenants.guess_limits import (
    LIMITS,
    Counted,
    GuessKind,
)
from apps.tenants.known_devices import remember_device
from apps.tenants.models import GuessCount
from tests.core.threads import at_once

NOW = datetime(2026, 4, 3, 9, 30, tzinfo=UTC)
ACCOUNT = "ann@example.com"


def guess_from(address: str, account: str = ACCOUNT, kind: GuessKind = GuessKind.PASSWORD, cookie: str = "") -> Guess:
    request = RequestFactory().post("/", REMOTE_ADDR=address)
    if cookie:
        request.COOKIES["known_device"] = cookie
    return begin_guess(request, kind, account)


def cookie_of(account: str, factors: int = 1) -> str:
    answer = HttpResponse()
    remember_device(RequestFactory().get("/"), answer, account=account, factors=factors)
    return answer.cookies["known_device"].value


def tries_until_refused(
    *addresses: str, accounts: tuple[str, ...] = (ACCOUNT,), cookie: str = "", kind: GuessKind = GuessKind.PASSWORD
) -> int:
    """How many guesses pass, going through the addresses and the accounts in turn."""
    for tried in range(1000):
        try:
            guess_from(addresses[tried % len(addresses)], accounts[tried % len(accounts)], kind, cookie)
        except TooManyGuessesError:
            return tried
    return 1000


ADDRESSES = tuple(f"198.51.100.{number}" for number in range(100))
ACCOUNTS = tuple(f"person{number}@example.com" for number in range(100))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("addresses", "accounts", "passed"),
    [
        (ADDRESSES[:1], (ACCOUNT,), 5),
        (ADDRESSES, (ACCOUNT,), 20),
        (ADDRESSES[:15], (ACCOUNT,), 20),
        (ADDRESSES[:1], ACCOUNTS, 50),
        (ADDRESSES[:1], (ACCOUNT, " Ann@Example.com ", "ANN@EXAMPLE.COM"), 5),
        # A subscriber's whole IPv6 network is one address; so is an IPv4 address in IPv6 form.
        (tuple(f"2001:db8:0:7:{number:x}::1" for number in range(100)), (ACCOUNT,), 5),
        (("192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"), (ACCOUNT,), 5),
        (("2001:db8:0:7::1", "2001:db8:0:8::1"), (ACCOUNT,), 10),
        # What is no address is one address: two of three tries here.
        (("", "nonsense", "fe80::1%eth0\0"), (ACCOUNT,), 7),
    ],
)
def test_each_shape_of_attack_is_stopped(addresses: tuple[str, ...], accounts: tuple[str, ...], passed: int) -> None:
    with time_machine.travel(NOW, tick=False):
        assert tries_until_refused(*addresses, accounts=accounts) == passed


@pytest.mark.django_db
def test_what_is_refused_is_counted_nowhere_and_puts_nothing_off() -> None:
    with time_machine.travel(NOW, tick=False) as traveller:
        assert tries_until_refused("198.51.100.1") == 5
        before = sorted(GuessCount.objects.values_list("key", "tries", "ends_at"))
        traveller.shift(timedelta(minutes=10))
        with pytest.raises(TooManyGuessesError) as refusal:
            guess_from("198.51.100.1")
        assert refusal.value.retry_after_seconds == 300
        assert sorted(GuessCount.objects.values_list("key", "tries", "ends_at")) == before
        traveller.shift(timedelta(minutes=5))
        guess_from("198.51.100.1")


@pytest.mark.django_db
def test_strangers_failures_stop_no_browser_that_signed_in_before() -> None:
    cookie = cookie_of(ACCOUNT)
    with time_machine.travel(NOW, tick=False):
        assert tries_until_refused(*ADDRESSES) == 20
        assert tries_until_refused(ADDRESSES[0], accounts=ACCOUNTS) > 0
        with pytest.raises(TooManyGuessesError):
            guess_from("203.0.113.9")
        # From the very address of an attacker, ten tries of one's own.
        assert tries_until_refused(ADDRESSES[0], cookie=cookie) == 10
        # They are over for this browser alone: the count of the others is where it was.
        assert tries_until_refused(ADDRESSES[1], cookie=cookie_of(ACCOUNT)) == 10


@pytest.mark.django_db
def test_a_browser_is_known_for_its_own_accounts_and_factors_only() -> None:
    forged = cookie_of(ACCOUNT)[:-3] + "abc"
    for cookie in (cookie_of("other@example.com"), forged, "x", "", "a:b:c"):
        GuessCount.objects.all().delete()
        assert tries_until_refused("198.51.100.1", cookie=cookie) == 5
    GuessCount.objects.all().delete()
    for _ in range(5):
        guess_from("198.51.100.1", kind=GuessKind.CODE, cookie=cookie_of(ACCOUNT, factors=1))
    with pytest.raises(TooManyGuessesError):
        guess_from("198.51.100.1", kind=GuessKind.CODE, cookie=cookie_of(ACCOUNT, factors=1))
    guess_from("198.51.100.1", kind=GuessKind.CODE, cookie=cookie_of(ACCOUNT, factors=2))


@pytest.mark.django_db
def test_a_device_cookie_holds_several_people_keeps_both_factors_and_ends() -> None:
    with time_machine.travel(NOW, tick=False) as traveller:
        request, answer = RequestFactory().get("/"), HttpResponse()
        for number in range(7):
            for factors in (2, 1):
                remember_device(request, answer, account=f"p{number}@example.com", factors=factors)
                request.COOKIES["known_device"] = answer.cookies["known_device"].value
        cookie = answer.cookies["known_device"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        assert "example" not in cookie.value
        for account, passed in (("p1@example.com", 5), ("p2@example.com", 10), ("p6@example.com", 10)):
            GuessCount.objects.all().delete()
            assert tries_until_refused("198.51.100.1", accounts=(account,), cookie=cookie.value) == passed
        newest = ("p6@example.com",)
        assert tries_until_refused("198.51.100.1", accounts=newest, cookie=cookie.value, kind=GuessKind.CODE) == 10
        traveller.shift(timedelta(days=181))
        assert tries_until_refused("198.51.100.1", accounts=newest, cookie=cookie.value) == 5


@pytest.mark.django_db
def test_a_right_secret_gives_the_try_back_and_forgives_no_other_account() -> None:
    with time_machine.travel(NOW, tick=False):
        for number in range(48):
            guess_from("198.51.100.1", ACCOUNTS[number])
        for _ in range(10):
            with one_guess(
                RequestFactory().post("/", REMOTE_ADDR="198.51.100.1"), GuessKind.PASSWORD, "own@example.com"
            ):
                pass
        for number in range(48, 50):
            guess_from("198.51.100.1", ACCOUNTS[number])
        with pytest.raises(TooManyGuessesError):
            guess_from("198.51.100.1", ACCOUNTS[50])


@pytest.mark.django_db
def test_a_success_forgets_the_persons_own_typing_errors() -> None:
    with time_machine.travel(NOW, tick=False):
        for _ in range(4):
            guess_from("198.51.100.1")
        clear_failures(guess_from("198.51.100.1"))
        assert tries_until_refused("198.51.100.1") == 5


@pytest.mark.django_db
def test_a_block_that_fails_stays_counted_whatever_it_fails_of() -> None:
    request = RequestFactory().post("/", REMOTE_ADDR="198.51.100.1")
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), one_guess(request, GuessKind.PASSWORD, ACCOUNT):
            raise ZeroDivisionError
    with pytest.raises(TooManyGuessesError):
        guess_from("198.51.100.1")


@pytest.mark.django_db
def test_each_door_counts_for_itself() -> None:
    for kind in GuessKind:
        pair = next(limit for limit in LIMITS[kind] if limit.counted is Counted.PAIR)
        assert tries_until_refused("198.51.100.1", kind=kind) == pair.tries


@pytest.mark.django_db
@pytest.mark.parametrize("form", [{}, {"username": "", "password": "x"}, {"username": ACCOUNT, "password": ""}])
def test_a_form_without_address_or_password_is_no_guess_and_stops_nobody(form: dict[str, str]) -> None:
    for path in ("/sign-in/", "/admin/login/"):
        for _ in range(6):
            assert Client().post(path, form).status_code == 200
    assert not GuessCount.objects.exists()


@pytest.mark.django_db
def test_the_table_holds_no_address_and_is_swept() -> None:
    with time_machine.travel(NOW, tick=False) as traveller:
        tries_until_refused("198.51.100.1", accounts=ACCOUNTS)
        stored = str(list(GuessCount.objects.values()))
        assert "198.51" not in stored
        assert "example" not in stored
        held = GuessCount.objects.count()
        assert held > 100
        traveller.shift(timedelta(hours=2))
        for number in range(30):
            guess_from(f"203.0.113.{number}", f"later{number}@example.com")
        assert GuessCount.objects.count() < held


@pytest.mark.parametrize(
    ("forwarded_for", "trusted", "address"),
    [
        (None, ["192.0.2.0/24"], "192.0.2.1"),
        ("198.51.100.1", [], "192.0.2.1"),
        # Whoever connects from elsewhere may write what they like.
        ("198.51.100.1", ["192.0.2.2", "10.0.0.0/8"], "192.0.2.1"),
        ("198.51.100.1", ["192.0.2.1"], "198.51.100.1"),
        ("198.51.100.1", ["::ffff:192.0.2.1", "192.0.2.0/30"], "198.51.100.1"),
        # What the client wrote itself stands before what the proxy added.
        ("203.0.113.5, 198.51.100.1", ["192.0.2.1"], "198.51.100.1"),
        ("203.0.113.5,198.51.100.1:4711", ["192.0.2.1"], "198.51.100.1"),
        # Two proxies, one behind the other.
        ("203.0.113.5, 198.51.100.1, 10.0.0.4", ["192.0.2.1", "10.0.0.0/8"], "198.51.100.1"),
        ("203.0.113.5, 198.51.100.1, 10.0.0.4", ["192.0.2.1"], "10.0.0.4"),
        ("10.0.0.5, 10.0.0.4", ["192.0.2.1", "10.0.0.0/8"], "10.0.0.5"),
        ("[2001:db8::7]:443", ["192.0.2.1"], "2001:db8::/64"),
        ("198.51.100.1, unknown", ["192.0.2.1"], "192.0.2.1"),
        ("198.51.100.1, ", ["192.0.2.1"], "192.0.2.1"),
    ],
)
@pytest.mark.django_db
def test_the_client_behind_a_trusted_proxy_is_counted_and_not_the_proxy(
    settings: Settings, forwarded_for: str | None, trusted: list[str], address: str
) -> None:
    settings.TRUSTED_PROXIES = trusted
    headers = {"X-Forwarded-For": forwarded_for} if forwarded_for is not None else {}
    assert client_address(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers=headers)) == address


@pytest.mark.parametrize(
    ("peer", "forwarded_proto", "scheme"),
    [
        ("10.0.0.4", "https", "https"),
        ("10.0.0.4", "HTTPS", "https"),
        ("10.0.0.4", "http", "http"),
        ("10.0.0.4", "", "http"),
        ("10.0.0.4", "http,https", "http"),
        ("198.51.100.1", "https", "http"),
        ("", "https", "http"),
    ],
)
def test_only_a_trusted_proxy_says_that_a_client_came_by_https(
    settings: Settings, peer: str, forwarded_proto: str, scheme: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/24"]
    environ = RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-Proto": forwarded_proto}).environ
    request = InputTextHandler.request_class(environ)
    assert request.scheme == scheme
    assert request.is_secure() == (scheme == "https")
    # The control: Django's own request believes what the setting of its own names, whoever says it.
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert WSGIRequest(environ).is_secure() == (forwarded_proto == "https")


def passed_at_once(guess: Callable[[int], object]) -> int:
    results = at_once(GUESSERS, guess)
    refused = [result for result in results if isinstance(result, TooManyGuessesError)]
    assert all(isinstance(result, TooManyGuessesError) or not isinstance(result, Exception) for result in results)
    return len(results) - len(refused)


GUESSERS = 24


def checked_before_counting(everybody_has_looked: Barrier) -> None:
    """The negative control: look whether there is room, guess, count the failure afterwards."""
    tries = GuessCount.objects.filter(key="naive").values_list("tries", flat=True).first() or 0
    if tries >= 5:
        raise TooManyGuessesError("full", retry_after_seconds=1)
    everybody_has_looked.wait()
    with transaction.atomic():
        GuessCount.objects.bulk_create([GuessCount(key="naive", tries=0, ends_at=NOW)], ignore_conflicts=True)
        row = GuessCount.objects.select_for_update().get(key="naive")
        row.tries += 1
        row.save()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_guesses_at_the_same_moment_do_not_pass_together() -> None:
    assert passed_at_once(lambda number: guess_from("198.51.100.1")) == 5
    assert passed_at_once(lambda number: guess_from(ADDRESSES[number])) == 15
    everybody_has_looked = Barrier(GUESSERS)
    assert passed_at_once(lambda number: checked_before_counting(everybody_has_looked)) == GUESSERS
