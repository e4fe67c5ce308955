"""Every error becomes one problem document, and "unavailable" never reads as "denied" (spec 09, HTTP; spec 11, P14)."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.http import Http404
from kombu.exceptions import OperationalError as BrokerError
from rest_framework import exceptions
from rest_framework.test import APIRequestFactory

from apps.core import errors
from apps.core.errors import CountinghouseError, ErrorKind, FieldError, Reason
from apps.core.wire.problems import STATUSES, problem_of, problem_response
from tests.core.wire.bodies import GrantView, post

DECISION = UUID("0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10")
OPTIONAL = {"decision_id", "errors", "explanation"}
ALWAYS = ["type", "title", "status", "code", "detail", "request_id"]


def database_error(state: str | None, kind: type[Exception] = OperationalError) -> Exception:
    """Django's error, made of psycopg's with this SQLSTATE."""
    cause = psycopg.OperationalError("connection is bad")
    if state is not None:
        cause.sqlstate = state
    error = kind("the connection is closed")
    error.__cause__ = cause
    return error


STATUS_OF: list[tuple[Exception, int, str]] = [
    (errors.MalformedRequestError("x"), 400, "malformed_request"),
    (errors.UnauthenticatedError("x"), 401, "not_authenticated"),
    (errors.ForbiddenError("x", explanation=[errors.Reason("x", "deny", "x")]), 403, "not_allowed"),
    (errors.NotFoundError("x"), 404, "not_found"),
    (errors.ConflictError("x"), 409, "state_conflict"),
    (errors.UnprocessableError("x"), 422, "impossible_value"),
    (errors.UnavailableError("x"), 503, "unavailable"),
    (exceptions.ParseError("x"), 400, "malformed_request"),
    (exceptions.NotAcceptable(), 406, "not_acceptable"),
    (exceptions.ValidationError({"a": [{"b": ["wrong"]}]}), 400, "malformed_request"),
    (exceptions.NotAuthenticated(), 401, "not_authenticated"),
    (exceptions.AuthenticationFailed(), 401, "not_authenticated"),
    (exceptions.PermissionDenied(), 403, "not_allowed"),
    (PermissionDenied(), 403, "not_allowed"),
    (exceptions.NotFound(), 404, "not_found"),
    (Http404("No Organization matches the given query."), 404, "not_found"),
    (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
    (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
    (exceptions.Throttled(wait=11.2), 429, "too_many_requests"),
    (RequestDataTooBig(), 413, "too_large"),
    (SuspiciousOperation(), 400, "malformed_request"),
    (BrokerError("gone"), 503, "unavailable"),
    *((database_error(state), 503, "unavailable") for state in (None, "08006", "40001", "40P01", "53300", "55P03")),
    *((database_error(state), 503, "unavailable") for state in ("57014", "57P01", "57P03", "58030")),
    (database_error(None, InterfaceError), 503, "unavailable"),
    (database_error("54000"), 500, "internal_error"),
    (InterfaceError("cursor already closed"), 500, "internal_error"),
    (ProgrammingError("relation secret_table does not exist"), 500, "internal_error"),
    (IntegrityError("Key (email)=(ann@example.com) already exists"), 500, "internal_error"),
    (ZeroDivisionError("secret detail"), 500, "internal_error"),
]


@pytest.mark.parametrize(("error", "status", "code"), STATUS_OF, ids=lambda value: repr(value)[:60])
def test_an_error_has_one_status_and_one_form(error: Exception, status: int, code: str) -> None:
    response = problem_response(error)
    document = json.loads(response.content)
    assert (response.status_code, document["status"], document["code"]) == (status, status, code)
    assert [name for name in document if name not in OPTIONAL] == ALWAYS
    assert document["type"] == f"/problems/{code.replace('_', '-')}"
    assert response["Content-Type"] == "application/problem+json"
    assert ("Retry-After" in response) == (status in {429, 503})
    assert ("WWW-Authenticate" in response) == (status == 401)


def test_every_kind_of_refusal_has_its_status() -> None:
    assert set(STATUSES) == set(ErrorKind)
    assert {status for _, status, _ in STATUS_OF} >= set(STATUSES.values()) - {402}


@pytest.mark.parametrize("error", [error for error, status, _ in STATUS_OF if status in {404, 500, 503}], ids=repr)
def test_our_own_faults_and_absences_tell_nothing(error: Exception) -> None:
    if not isinstance(error, CountinghouseError):
        text = problem_response(error).content.decode()
        assert not any(word in text for word in ("secret", "ann@", "Organization matches", "connection"))


def test_all_members_are_written() -> None:
    error = errors.ForbiddenError(
        "Not a member.",
        code="not_a_member",
        title="Not a member of this organization",
        errors=[FieldError("user_id", "not_a_member", "is not a member", "ann"), FieldError("a", "b", "c")],
        explanation=[Reason("membership", "deny", "no row", "organization:1"), Reason("demo", "pass", "not a demo")],
        decision_id=DECISION,
    )
    document = problem_of(error).document()
    assert document.pop("request_id")
    assert document == {
        "type": "/problems/not-a-member",
        "title": "Not a member of this organization",
        "status": 403,
        "code": "not_a_member",
        "detail": "Not a member.",
        "decision_id": str(DECISION),
        "errors": [
            {"field": "user_id", "code": "not_a_member", "message": "is not a member", "suggestion": "ann"},
            {"field": "a", "code": "b", "message": "c"},
        ],
        "explanation": [
            {"rule": "membership", "outcome": "deny", "fact": "no row", "record": "organization:1"},
            {"rule": "demo", "outcome": "pass", "fact": "not a demo"},
        ],
    }


@pytest.mark.parametrize("seconds", [0, 7])
def test_a_conflict_says_when_to_try_again(seconds: int) -> None:
    response = problem_response(errors.ConflictError("In flight.", retry_after_seconds=seconds))
    assert response["Retry-After"] == str(seconds)


class FailingView(GrantView):
    failure: ClassVar[Exception | None] = ZeroDivisionError("secret detail")


def test_an_unexpected_error_in_a_view_is_a_problem_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    response = post({}, view=FailingView)
    assert response.status_code == 500
    assert "secret detail" not in response.content.decode()
    assert any(record.levelname == "ERROR" for record in caplog.records)


def test_another_method_is_405_with_allow() -> None:
    for method in ("PUT", "OPTIONS", "HEAD", "PATCH", "TRACE"):
        response: Any = GrantView.as_view()(APIRequestFactory().generic(method, "/grants"))
        assert response.status_code == 405, method
        assert set(response["Allow"].split(", ")) == {"GET", "POST"}
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("accept", ["text/html", "application/problem+json", "image/png", "", "nonsense"])
def test_the_answer_is_json_whatever_is_accepted(accept: str) -> None:
    assert post({"grant_type": "plan"}, HTTP_ACCEPT=accept)["Content-Type"] == "application/json"
    assert post({}, HTTP_ACCEPT=accept)["Content-Type"] == "application/problem+json"
