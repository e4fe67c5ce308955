"""One id goes with a request: in from the caller, into every log line and problem, and out again (spec 08)."""

from __future__ import annotations

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from structlog.testing import capture_logs

from apps.core.observability.requests import RequestIdMiddleware, current_request_id


def call(given: str | None, path: str = "/anything") -> tuple[HttpResponse, str]:
    """The answer, and the id that the view saw."""
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(current_request_id())
        return HttpResponse(status=204)

    headers = {} if given is None else {"X-Request-ID": given}
    return RequestIdMiddleware(view)(RequestFactory().get(path, headers=headers)), seen[0]


@pytest.mark.parametrize("given", ["abcdefgh", "A-b_c.123", "6a1f3c0de8b94f5a8d2c7e4b90a1f2d3", "x" * 64])
def test_a_well_formed_id_is_taken_over(given: str) -> None:
    response, seen = call(given)
    assert response["X-Request-ID"] == seen == given


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "short",
        "x" * 65,
        "a b c d e",
        "abcdefgh\n",
        "\uff41\uff42\uff43\uff44\uff45\uff46\uff47\uff48",
        "abc/defgh",
        "<script>",
    ],
)
def test_any_other_id_is_replaced(given: str | None) -> None:
    response, seen = call(given)
    assert response["X-Request-ID"] == seen != given
    assert len(seen) == 32


def test_requests_do_not_lend_each_other_their_ids() -> None:
    assert call(None)[1] != call(None)[1]
    assert "request_id" not in structlog.contextvars.get_contextvars()


def test_the_context_is_cleared_when_the_view_fails() -> None:
    def failing(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        RequestIdMiddleware(failing)(RequestFactory().get("/"))
    assert structlog.contextvars.get_contextvars() == {}


def test_without_a_request_an_id_is_made_once() -> None:
    structlog.contextvars.clear_contextvars()
    assert current_request_id() == current_request_id()
    structlog.contextvars.clear_contextvars()


def test_one_line_is_logged_for_a_request_and_none_for_a_probe() -> None:
    with capture_logs() as logs:
        call("abcdefgh", "/api/v1/internal/users:upsert")
        call("abcdefgh", "/healthz")
    assert [(entry["event"], entry["path"], entry["status"]) for entry in logs] == [
        ("request_finished", "/api/v1/internal/users:upsert", 204)
    ]


def test_problem_and_header_carry_the_same_id() -> None:
    response = Client().get("/api/v1/internal/nothing", headers={"X-Request-ID": "my-request.1"})
    assert response.json()["request_id"] == response["X-Request-ID"] == "my-request.1"
