"""A call ends in time, stays small, waits as it is told, and keeps its key to itself (spec 06, Outgoing requests)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import stamina
from pytest_django.fixtures import Settings

from apps.core.outgoing import Call, OutgoingError, outgoing_call
from apps.core.outgoing.calls import _wait_of
from tests.core.outgoing.conftest import Network, Server

KEY = {"Authorization": "Bearer rk_live_secret-of-the-tests"}


@pytest.fixture(autouse=True)
def _listed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1", "elsewhere.test"]


def test_a_large_answer_is_refused(server: Server) -> None:
    server.replies = [(200, {}, b"x" * 5_000)]
    with pytest.raises(OutgoingError, match="larger than 4,999 bytes"):
        outgoing_call(Call(server.url, largest_body=4_999))
    assert len(outgoing_call(Call(server.url, largest_body=5_000)).body) == 5_000


def test_a_compressed_answer_is_refused(server: Server) -> None:
    server.replies = [(200, {"Content-Encoding": "gzip"}, b"x")]
    with pytest.raises(OutgoingError, match="compressed"):
        outgoing_call(Call(server.url))


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": ""}], ids=["of a told length", "of no told length"])
@pytest.mark.slow
def test_an_answer_that_drips_is_ended_at_the_deadline(
    server: Server, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr("apps.core.outgoing.calls._ATTEMPTS", 1)
    server.replies, server.drip_seconds = [(200, headers, b"x" * 200)], 1
    with pytest.raises(OutgoingError, match="took longer than 1 seconds"):
        outgoing_call(Call(server.url, seconds=1))


def test_an_answer_that_is_cut_off_is_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.core.outgoing.calls._ATTEMPTS", 1)
    server.replies = [(200, {"Content-Length": "10"}, b"half")]
    with pytest.raises(OutgoingError):
        outgoing_call(Call(server.url))


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.slow
def test_a_busy_server_is_asked_again(server: Server, status: int) -> None:
    server.replies = [(status, {"Retry-After": "0"}, b""), (200, {}, b"done")]
    assert outgoing_call(Call(server.url)).body == b"done"


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_is_the_callers_to_plan(server: Server, status: int) -> None:
    server.replies = [(status, {"Retry-After": "3600"}, b"")]
    answer = outgoing_call(Call(server.url))
    assert (answer.status, answer.retry_after) == (status, timedelta(hours=1))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_not_repeated(server: Server, status: int) -> None:
    server.replies = [(status, {}, b"no")]
    assert outgoing_call(Call(server.url)).status == status
    assert len(server.requests) == 1


@pytest.mark.slow
def test_tries_have_an_end(server: Server) -> None:
    server.replies = [(500, {}, b"")]
    with stamina.set_testing(True, attempts=3):
        assert outgoing_call(Call(server.url)).status == 500
    assert len(server.requests) == 3


def test_the_key_stays_with_its_origin(server: Server, network: Network) -> None:
    network.names["elsewhere.test"] = ["127.0.0.1"]
    there = f"http://elsewhere.test:{server.port}/"
    server.replies = [(302, {"Location": "/here"}, b""), (307, {"Location": there}, b""), (200, {}, b"end")]
    assert outgoing_call(Call(server.url, secret_headers=KEY)).body == b"end"
    assert [headers.get("authorization", "") != "" for _, headers in server.requests] == [True, True, False]


def test_redirects_have_an_end(server: Server) -> None:
    server.replies = [(302, {"Location": "/again"}, b"")]
    with pytest.raises(OutgoingError, match="redirects too often"):
        outgoing_call(Call(server.url))
    assert len(server.requests) == 4


def test_nothing_of_the_key_shows_in_the_call_or_its_failure(server: Server, network: Network) -> None:
    call = Call("http://127.0.0.1:1/", secret_headers=KEY)
    with pytest.raises(OutgoingError) as caught:
        outgoing_call(call)
    assert "rk_live" not in repr(call) + repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", timedelta(seconds=7)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta(0)),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str, expected: timedelta | None) -> None:
    assert _wait_of(text) == expected
