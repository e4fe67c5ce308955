"""What the OpenAPI document says of each operation: bodies, examples, and every status that it can answer (spec 08).

`documented` is the one decorator of the views. It adds the refusals that every operation of the internal API can
answer, each with the problem document, so that a view names only its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from apps.core.errors import (
    ConflictError,
    CountinghouseError,
    ErrorKind,
    FieldError,
    ForbiddenError,
    MalformedRequestError,
    NotFoundError,
    Reason,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
    UnprocessableError,
)
from apps.core.observability.requests import HEADER, WELL_FORMED
from apps.core.operations import OPERATIONS
from apps.core.wire.fields import StrictCharField, StrictIntegerField, StrictUUIDField
from apps.core.wire.pagination import CURSOR_PATTERN, DEFAULT_LIMIT, LARGEST_LIMIT
from apps.core.wire.problems import CONTENT_TYPE, problem_of
from apps.core.wire.refusals import TooLargeError, UnsupportedMediaTypeError
from apps.core.wire.serializers import AnswerSerializer, StrictSerializer

View = TypeVar("View", bound=Callable[..., Any])
BEARER, CRON, SESSION = "serviceToken", "cronToken", "session"
CRON_OR_SESSION = (CRON, SESSION)
_ALWAYS = (400, 401, 403, 429, 503)
_WITH_BODY = (413, 415, 422)
_RETRIED_LATER = (409, 429, 503)
# Written as the caller's words are: one spelling for what the registry names now in the singular, now in the plural.
_TAGS = {"connector": "connectors"}
_EXAMPLE_REQUEST_ID = "6a1f3c0de8b94f5a8d2c7e4b90a1f2d3"


class _NotAffordableError(CountinghouseError):
    kind = ErrorKind.NOT_AFFORDABLE
    code = "insufficient_credits"
    title = "Insufficient credits"


# For each status: what it means, and an error as the server answers it.
_REFUSALS: Mapping[int, tuple[str, CountinghouseError]] = {
    400: (
        "Malformed: an unknown or missing field, a wrong type, bad JSON.",
        MalformedRequestError("unknown field `x`.", errors=[FieldError("x", "unknown_field", "unknown field `x`.")]),
    ),
    401: (
        "No token, or one that is unknown, expired or revoked.",
        UnauthenticatedError("Send a service token that is valid now: `Authorization: Bearer <token>`."),
    ),
    402: ("Not affordable.", _NotAffordableError("The charge is 2.5 credits; 1 is available.")),
    403: (
        "Not allowed; `explanation` says by which rule.",
        ForbiddenError("The token lacks the scope.", explanation=[Reason("scope", "deny", "the token lacks it")]),
    ),
    404: ("Unknown.", NotFoundError("There is nothing at this address, or it is not visible to you.")),
    409: (
        "The record's state does not allow it, or the same key is in flight.",
        ConflictError("The hold has ended."),
    ),
    413: ("The body is too large.", TooLargeError("The body is over 1048576 bytes. Send it in several requests.")),
    415: ("The body is not JSON.", UnsupportedMediaTypeError("Send the body as application/json in UTF-8.")),
    422: (
        "Well-formed, but a value that can't be.",
        UnprocessableError(
            "quantity: The quantity must be more than 0.",
            errors=[FieldError("quantity", "out_of_range", "The quantity must be more than 0.")],
        ),
    ),
    429: (
        "Too many requests.",
        TooManyRequestsError("Too many requests in a short time. Try again in 12 s.", retry_after_seconds=12),
    ),
    503: (
        "Something that we need does not answer; never a denial.",
        UnavailableError("Something that we need does not answer right now. Try it again."),
    ),
}


class ProblemFieldError(AnswerSerializer):
    """One field that can't be taken."""

    field = StrictCharField(help_text="Dotted path, such as `members.0.role`; empty for the body itself.")
    code = StrictCharField()
    message = StrictCharField()
    suggestion = StrictCharField(required=False, help_text="The closest known name.")


class ProblemReason(AnswerSerializer):
    """One step of the chain of rules that were tried."""

    rule = StrictCharField()
    outcome = StrictCharField(help_text="`allow`, `deny` or `pass`.")
    fact = StrictCharField()
    record = StrictCharField(required=False, help_text="Kind and id, such as `organization:<uuid>`.")


class Problem(AnswerSerializer):
    """A problem document (RFC 9457)."""

    type = StrictCharField()
    title = StrictCharField()
    status = StrictIntegerField(least=400, most=599)
    code = StrictCharField(help_text="For programs; stable.")
    detail = StrictCharField(help_text="For people.")
    request_id = StrictCharField(help_text="Finds the request in the logs.")
    decision_id = StrictUUIDField(required=False, help_text="The stored receipt of this decision.")
    errors = ProblemFieldError(many=True, required=False)  # type: ignore[assignment]  # DRF takes it off the class
    explanation = ProblemReason(many=True, required=False)


@dataclass(frozen=True, slots=True)
class Example:
    """One example of an operation: what is sent and what comes back. Bodies as they are on the wire."""

    name: str
    request: Any = None
    answer: Any = None


PAGE_QUERY = (
    OpenApiParameter(
        "cursor", {"type": "string", "pattern": f"^{CURSOR_PATTERN}$"}, description="`next_cursor` of the page before."
    ),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT},
        description="How many items the page holds.",
    ),
)


def documented(
    *,
    operation: str,
    responses: Mapping[int, type[AnswerSerializer] | None],
    request: type[StrictSerializer] | None = None,
    statuses: Sequence[int] = (),
    examples: Sequence[Example] = (),
    query: Sequence[OpenApiParameter] = (),
    operation_id: str | None = None,
    callers: Sequence[str] = (BEARER,),
) -> Callable[[View], View]:
    """Document a view's method as the operation, which it may be asked for only if the registry knows it.

    `statuses` are the refusals beyond those that every operation has (400, 401, 403, 429, 503, and with a body 413,
    415, 422). `operation_id` is needed where several routes share one operation; `callers` names the security schemes,
    any one of which will do.
    """
    if operation not in OPERATIONS:
        raise LookupError(f"Unknown operation {operation!r}.")
    refusals = sorted({*_ALWAYS, *(_WITH_BODY if request else ()), *statuses})

    def decorate(view: View) -> View:
        decorated: View = extend_schema(
            operation_id=operation_id or operation.replace(".", "_"),
            tags=[tag_of(operation)],
            request=request,
            responses=_responses(responses, refusals),
            examples=_examples(examples, responses),
            parameters=[*query, *_headers(refusals)],
            auth=[{name: []} for name in callers],  # type: ignore[misc]  # the library takes requirements as well as names
        )(view)
        decorated.documented_operation = operation  # type: ignore[attr-defined]
        return decorated

    return decorate


def tag_of(operation: str) -> str:
    """The heading under which the document lists the operation."""
    area = operation.partition(".")[0]
    return _TAGS.get(area, area)


def _responses(answers: Mapping[int, type[AnswerSerializer] | None], refusals: Sequence[int]) -> dict[Any, Any]:
    documents: dict[Any, Any] = {
        status: OpenApiResponse(answer, description=HTTPStatus(status).phrase) for status, answer in answers.items()
    }
    for status in refusals:
        documents[status, CONTENT_TYPE] = OpenApiResponse(
            Problem, description=_REFUSALS[status][0], examples=[_problem_example(status)]
        )
    return documents


def _problem_example(status: int) -> OpenApiExample:
    problem = problem_of(_REFUSALS[status][1])
    value = {**problem.document(), "request_id": _EXAMPLE_REQUEST_ID}
    return OpenApiExample(problem.code, value=value, media_type=CONTENT_TYPE, status_codes=[status], response_only=True)


def _examples(
    examples: Sequence[Example], answers: Mapping[int, type[AnswerSerializer] | None]
) -> list[OpenApiExample]:
    requests = [
        OpenApiExample(example.name, value=example.request, request_only=True)
        for example in examples
        if example.request is not None
    ]
    statuses = [str(status) for status, answer in answers.items() if answer is not None]
    return requests + [
        OpenApiExample(example.name, value=example.answer, response_only=True, status_codes=statuses)
        for example in examples
        if example.answer is not None
    ]


def _headers(refusals: Sequence[int]) -> list[OpenApiParameter]:
    request_id = {"type": "string", "pattern": f"^{WELL_FORMED}$"}
    waits = [status for status in refusals if status in _RETRIED_LATER]
    header: Literal["header"] = "header"
    return [
        OpenApiParameter(HEADER, request_id, header, description="Taken over into logs and audit; else one is made."),
        OpenApiParameter(HEADER, request_id, header, description="The request's id.", response=True),
        OpenApiParameter("WWW-Authenticate", str, header, response=[401]),
        OpenApiParameter("Retry-After", int, header, description="Seconds to wait.", response=waits),
    ]
