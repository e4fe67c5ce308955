"""The rate limit counts each caller alone and says when to come again (spec 09, 429)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from threading import Thread

import pytest
import time_machine
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.core.wire.throttles import WindowCounts, caller_key
from tests.core.wire.bodies import post

BODY = {"grant_type": "plan"}


def call(token: str) -> tuple[int, str | None, str]:
    response = post(BODY, HTTP_AUTHORIZATION=f"Bearer {token}")
    return response.status_code, response.headers.get("Retry-After"), json.loads(response.content).get("code", "")


def test_the_limit_holds_for_each_caller_until_the_window_ends(settings: Settings) -> None:
    settings.API_RATE_LIMIT_PER_MINUTE = 2
    with time_machine.travel(datetime(2026, 4, 3, 9, 30, 48, tzinfo=UTC), tick=False) as traveller:
        assert [call("one")[0] for _ in range(2)] == [200, 200]
        assert call("one") == (429, "12", "too_many_requests")
        assert call("two")[0] == 200
        traveller.shift(12)
        assert call("one")[0] == 200


def test_nought_switches_it_off(settings: Settings) -> None:
    settings.API_RATE_LIMIT_PER_MINUTE = 0
    assert {call("free")[0] for _ in range(20)} == {200}


def test_no_count_is_lost_between_threads() -> None:
    counts = WindowCounts()
    threads = [Thread(target=lambda: [counts.count("a", 1) for _ in range(2000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.count("a", 1) == 16_001
    assert counts.count("a", 2) == 1


@pytest.mark.parametrize(
    ("headers", "key"), [({}, "address:192.0.2.1"), ({"HTTP_AUTHORIZATION": "Bearer abcdef"}, None)]
)
def test_a_token_is_counted_by_its_hash(headers: dict[str, str], key: str | None) -> None:
    request = Request(APIRequestFactory().get("/", REMOTE_ADDR="192.0.2.1", **headers))  # type: ignore[arg-type]
    assert caller_key(request) == key if key else "abcdef" not in caller_key(request)
