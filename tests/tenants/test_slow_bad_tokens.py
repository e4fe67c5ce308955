"""Bad service tokens are slowed, good ones never: not by what came before them, from whatever address (spec 11)."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.enums import Role
from apps.core.errors import TooManyRequestsError
from apps.core.ids import ServiceTokenId
from apps.core.wire.client_address import client_address
from apps.tenants import tokens
from apps.tenants.authentication import ServiceTokenAuthentication
from apps.tenants.bad_tokens import BAD_TOKENS_A_WINDOW, BAD_TOKENS_IN_ALL, BadTokenLimit
from apps.tenants.models import ServiceToken
from apps.tenants.services import service_token_revoke
from apps.tenants.tokens import hash_token
from tests.contexts import staff_context
from tests.core.threads import at_once
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_cron_token, make_product, make_token

AUTHORIZE = "/api/v1/internal/credits:authorize"
JOB = "/api/v1/internal/jobs/drain-outbox:run"
HERE, ELSEWHERE = "198.51.100.1", "203.0.113.9"


def bad_token() -> str:
    return f"chp_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def ask(token: str, place: Place, *, address: str = HERE, path: str = AUTHORIZE, name: str = "application/json") -> Any:
    body = {
        "account": {"type": "organization", "id": str(place.organization.pk)},
        "operation": "fix_run",
        "quantity": "1",
    }
    return Client().post(
        path,
        json.dumps({} if path == JOB else body),
        content_type=name,
        headers={"authorization": f"Bearer {token}"},
        REMOTE_ADDR=address,
    )


def flood(place: Place, count: int = BAD_TOKENS_A_WINDOW + 5, *, address: str = HERE) -> list[int]:
    return [ask(bad_token(), place, address=address).status_code for _ in range(count)]


@pytest.fixture
def place(db: None) -> Place:
    return make_place(whole_credits=100)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
@pytest.mark.parametrize("is_remembered", [True, False])
def test_a_good_token_gets_in_after_any_number_of_bad_ones(
    place: Place, *, is_remembered: bool, content_type: str
) -> None:
    """On the short way of the hot path and on REST framework's own."""
    good = make_token(place.product)
    if is_remembered:
        assert ask(good, place).status_code == 200
    assert flood(place) == [401] * BAD_TOKENS_A_WINDOW + [429] * 5
    for _ in range(3):
        assert ask(good, place, name=content_type).status_code == 200
    refused = ask(bad_token(), place, name=content_type)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "let in at once" in refused.json()["detail"]
    assert ask(bad_token(), place, address=ELSEWHERE).status_code == 401


def test_a_good_cron_token_starts_its_job_after_any_number_of_bad_ones(place: Place) -> None:
    good = make_cron_token()
    flood(place)
    assert ask(bad_token(), place, path=JOB).status_code == 429
    assert ask(good, place, path=JOB).status_code == 202


def test_a_token_that_is_made_in_the_flood_gets_in_at_once(place: Place) -> None:
    with time_machine.travel(clock.now(), tick=False):
        flood(place)
        assert ask(make_token(place.product), place).status_code == 200


def test_a_token_that_another_process_makes_gets_in_a_moment_later(place: Place) -> None:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        flood(place)
        text = make_token(make_product("green"))
        stored = ServiceToken.objects.get(token_hash=hash_token(text))
        stored.product = place.product
        stored.save()
        # As if it had been made elsewhere: this process has not been told.
        tokens.existing_hashes._is_stale = False
        traveller.shift(tokens.HASHES_READ_EVERY)
        assert ask(text, place).status_code == 200


def queries_of(call: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as seen:
        call()
    return len(seen)


@pytest.mark.slow
def test_a_flood_costs_no_query_each(place: Place) -> None:
    with time_machine.travel(clock.now(), tick=False):
        flood(place)
        assert queries_of(lambda: flood(place, 50)) <= 1
        # Another address has tries of its own, until all addresses together are a flood.
        assert queries_of(lambda: flood(place, 1, address=ELSEWHERE)) == 1
        spread = [f"203.0.113.{number}" for number in range(BAD_TOKENS_IN_ALL // 20)]
        for address in spread:
            flood(place, 20, address=address)
        assert queries_of(lambda: flood(place, 1, address="192.0.2.55")) == 0


def test_a_client_that_goes_on_with_a_revoked_token_costs_no_query_each_either(place: Place) -> None:
    text = make_token(place.product)
    token_id = ServiceTokenId(ServiceToken.objects.get(token_hash=hash_token(text)).pk)
    service_token_revoke(staff_context(Role.PLATFORM_ADMIN), token_id=token_id, reason="leaked")
    statuses = [ask(text, place).status_code for _ in range(BAD_TOKENS_A_WINDOW + 2)]
    assert statuses == [401] * BAD_TOKENS_A_WINDOW + [429] * 2
    assert queries_of(lambda: [ask(text, place) for _ in range(20)]) == 0


def test_texts_of_the_wrong_form_are_counted_and_never_looked_up(place: Place) -> None:
    shapes = ["x", "chp_0_x", "chp_" + "0" * 8, "é" * 50, "a" * 10_000, "chp_00000000_" + "x" * 42 + "\u0661"]
    assert queries_of(lambda: [ask(shape, place) for shape in shapes * 6]) == 0
    assert ask(shapes[0], place).status_code == 429


def test_the_wait_ends_and_memory_is_bounded() -> None:
    limit, now = BadTokenLimit(), clock.now()
    for number in range(25_000):
        limit.note_failure(f"address {number}", now)
    assert len(limit._failures) <= 10_001
    assert limit.is_flooded("another", now)
    later = now + timedelta(minutes=1)
    assert not limit.is_flooded("another", later)
    assert [limit.note_failure("one", later) for _ in range(BAD_TOKENS_A_WINDOW)] == [0] * BAD_TOKENS_A_WINDOW
    assert limit.note_failure("one", later + timedelta(seconds=12)) == 49


_WAIT_FIRST = BadTokenLimit()


def ask_the_address_first(self: ServiceTokenAuthentication, request: Any) -> Any:
    """The negative control: refuse the address before its token is looked at."""
    address = client_address(request)
    text = request.META["HTTP_AUTHORIZATION"].partition(" ")[2]
    if _WAIT_FIRST.is_flooded(address, clock.now()):
        raise TooManyRequestsError("Too many bad tokens.", retry_after_seconds=1)
    caller = tokens.remembered_caller(text)
    try:
        return AnonymousUser(), caller or tokens.caller_of(text, address=address)
    except Exception:
        _WAIT_FIRST.note_failure(address, clock.now())
        raise


def mixed_storm(place: Place, good: str) -> list[int]:
    """The answers to good tokens, asked from twelve threads while as many throw bad ones from the same address."""

    def one(number: int) -> list[int]:
        answers: list[HttpResponse] = []
        for _ in range(15):
            if number % 2:
                answers.append(ask(good, place))
                # As a process does that has not seen the token for some seconds.
                tokens._remembered.clear()
            else:
                assert ask(bad_token(), place).status_code in {401, 429}
        return [answer.status_code for answer in answers]

    results = at_once(24, one)
    assert not [result for result in results if isinstance(result, Exception)]
    return [status for result in results if isinstance(result, list) for status in result]


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_good_and_bad_tokens_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place(whole_credits=100)
    good = make_token(place.product)
    ask(good, place)
    statuses = mixed_storm(place, good)
    assert (len(statuses), set(statuses)) == (180, {200})
    monkeypatch.setattr(ServiceTokenAuthentication, "authenticate", ask_the_address_first)
    flood(place)
    assert 429 in mixed_storm(place, good)


def test_a_token_is_not_let_in_by_its_prefix(place: Place) -> None:
    good = make_token(place.product)
    flood(place)
    for text in (
        good[:13] + secrets.token_urlsafe(32),
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        uuid.uuid4().hex,
    ):
        assert ask(text, place).status_code == 429
