"""THE one place that turns errors into HTTP: problem documents of RFC 9457 (spec 09, HTTP; spec 10, principle 13).

`handle` is DRF's exception handler; pages and handlers outside DRF use `problem_response`. An error that we don't know
answers 500 without details and is logged with its traceback. A database or broker that does not answer is 503 with
Retry-After, never a denial (spec 11, P14).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from apps.core.errors import CountinghouseError, ErrorKind, FieldError, Reason
from apps.core.observability.requests import current_request_id
from apps.core.unavailability import is_unavailable
from apps.core.wire.refusals import refusal_from

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

STATUSES: Mapping[ErrorKind, int] = {
    ErrorKind.MALFORMED: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.NOT_AFFORDABLE: 402,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.METHOD_NOT_ALLOWED: 405,
    ErrorKind.CONFLICT: 409,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorKind.UNPROCESSABLE: 422,
    ErrorKind.TOO_MANY_REQUESTS: 429,
    ErrorKind.UNAVAILABLE: 503,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What a problem document says. `headers` go with it over HTTP and are left out inside a batch result."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    explanation: tuple[Reason, ...] = ()
    decision_id: UUID | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The members of spec 09, in its order; the optional ones only where they say something."""
        document: dict[str, Any] = {
            "type": f"/problems/{self.code.replace('_', '-')}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "request_id": current_request_id(),
        }
        if self.decision_id is not None:
            document["decision_id"] = str(self.decision_id)
        if self.errors:
            document["errors"] = [_field_error(error) for error in self.errors]
        if self.explanation:
            document["explanation"] = reasons(self.explanation)
        return document


class ProblemResponse(HttpResponse):
    """A problem document; always in its own media type, whatever the caller accepts."""

    def __init__(self, problem: Problem) -> None:
        body = json.dumps(problem.document(), ensure_ascii=False).encode("utf-8", "replace")
        super().__init__(body, status=problem.status, content_type=CONTENT_TYPE)
        for name, value in {"Cache-Control": "no-store", **problem.headers}.items():
            self.headers[name] = value
        self.problem = problem
        # The request's own log line and, for a 500, the traceback are enough.
        self._has_been_logged = True


def reasons(explanation: Sequence[Reason]) -> list[dict[str, str]]:
    """The chain of rules as it goes over the wire; `record` only where one is meant."""
    return [
        {"rule": reason.rule, "outcome": reason.outcome, "fact": reason.fact}
        | ({"record": reason.record} if reason.record else {})
        for reason in explanation
    ]


def handle(error: Exception, context: Mapping[str, Any]) -> ProblemResponse:
    """DRF's `EXCEPTION_HANDLER`."""
    set_rollback()
    return problem_response(error)


def problem_response(error: Exception) -> ProblemResponse:
    """The answer to an error, logged where it is our fault."""
    problem = problem_of(error)
    if problem.status == INTERNAL.status:
        log.error("unexpected_error", exc_info=error)
    elif problem.status == STATUSES[ErrorKind.UNAVAILABLE]:
        log.warning("unavailable", cause=type(error).__name__, detail=str(error))
    return ProblemResponse(problem)


def problem_of(error: Exception) -> Problem:
    """The problem that an error is. Unknown errors are `INTERNAL`, which tells nothing about them."""
    if isinstance(error, CountinghouseError):
        return _from_own(error)
    for kind, convert in _CONVERSIONS:
        if isinstance(error, kind):
            return convert(error)
    return UNAVAILABLE if is_unavailable(error) else INTERNAL


def _from_own(error: CountinghouseError) -> Problem:
    return Problem(
        status=STATUSES[error.kind],
        code=error.problem_code,
        title=error.problem_title,
        detail=error.detail,
        errors=error.errors,
        explanation=error.explanation,
        decision_id=error.decision_id,
        headers=_headers(error.kind, error.retry_after_seconds),
    )


def _headers(kind: ErrorKind, retry_after_seconds: int | None) -> dict[str, str]:
    if kind is ErrorKind.UNAUTHENTICATED:
        return {"WWW-Authenticate": 'Bearer realm="Countinghouse"'}
    always_retried = kind in {ErrorKind.UNAVAILABLE, ErrorKind.TOO_MANY_REQUESTS}
    if retry_after_seconds is None and not always_retried:
        return {}
    return {"Retry-After": str(RETRY_AFTER_SECONDS if retry_after_seconds is None else retry_after_seconds)}


def _field_error(error: FieldError) -> dict[str, str]:
    members = {"field": error.field, "code": error.code, "message": error.message}
    return members | ({"suggestion": error.suggestion} if error.suggestion else {})


def _validation(error: exceptions.ValidationError) -> Problem:
    return _from_own(refusal_from(error).as_error())


def _method_not_allowed(error: exceptions.MethodNotAllowed) -> Problem:
    return Problem(405, "method_not_allowed", "Method not allowed", f"{error.detail} The header Allow lists what is.")


def _unsupported(error: exceptions.UnsupportedMediaType) -> Problem:
    return Problem(415, "unsupported_media_type", "The body is not JSON", "Send the body as application/json in UTF-8.")


def _throttled(error: exceptions.Throttled) -> Problem:
    # DRF has rounded it up already; the stubs do not know the attribute.
    wait = max(1, int(getattr(error, "wait", None) or RETRY_AFTER_SECONDS))
    return Problem(
        429,
        "too_many_requests",
        "Too many requests",
        f"Too many requests in a short time. Try again in {wait} s.",
        headers={"Retry-After": str(wait)},
    )


def _unauthenticated(error: Exception) -> Problem:
    return Problem(
        401,
        "not_authenticated",
        "Not authenticated",
        "Send a service token that is valid now: `Authorization: Bearer <token>`.",
        headers=_headers(ErrorKind.UNAUTHENTICATED, None),
    )


def _fixed(problem: Problem) -> Callable[[Any], Problem]:
    return lambda error: problem


INTERNAL = Problem(
    500,
    "internal_error",
    "Something went wrong on our side",
    "The error is logged under the request id. Trying again may help; nothing was done by halves.",
)
UNAVAILABLE = Problem(
    503,
    "unavailable",
    "Temporarily unavailable",
    "Something that we need does not answer right now. This is no decision about the request; try it again.",
    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
)
NOT_FOUND = Problem(404, "not_found", "Not found", "There is nothing at this address, or it is not visible to you.")
# For a denial of Django's or of DRF's own, which names no rule of ours.
FORBIDDEN = Problem(
    403,
    "not_allowed",
    "Not allowed",
    "You may not do this.",
    explanation=(Reason("permission", "deny", "the caller may not use this address"),),
)
BAD_REQUEST = Problem(400, "malformed_request", "The request can't be read", "The request can't be read.")
TOO_LARGE = Problem(413, "too_large", "The body is too large", "The body is too large. Send it in several requests.")

# The first that fits counts, so subclasses stand before their bases.
_CONVERSIONS: tuple[tuple[type[Exception], Callable[[Any], Problem]], ...] = (
    (exceptions.ValidationError, _validation),
    (exceptions.ParseError, _fixed(BAD_REQUEST)),
    (exceptions.NotAuthenticated, _unauthenticated),
    (exceptions.AuthenticationFailed, _unauthenticated),
    (exceptions.MethodNotAllowed, _method_not_allowed),
    (exceptions.UnsupportedMediaType, _unsupported),
    (exceptions.Throttled, _throttled),
    (exceptions.NotFound, _fixed(NOT_FOUND)),
    (Http404, _fixed(NOT_FOUND)),
    (exceptions.PermissionDenied, _fixed(FORBIDDEN)),
    (PermissionDenied, _fixed(FORBIDDEN)),
    (exceptions.NotAcceptable, _fixed(Problem(406, "not_acceptable", "Not acceptable", "We answer in JSON only."))),
    (RequestDataTooBig, _fixed(TOO_LARGE)),
    (SuspiciousOperation, _fixed(BAD_REQUEST)),
)
