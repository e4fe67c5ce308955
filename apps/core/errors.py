"""Errors that carry a code for programs, a sentence for people and, where it helps, the chain of rules tried.

Services raise these; `apps.core.wire.problems` is the one place that turns them into HTTP (spec 10, principle 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One step of an explanation: which rule was tried, what came out, on which fact of which record."""

    rule: str
    outcome: str  # "allow", "deny" or "pass"
    fact: str
    record: str = ""  # "organization:<uuid>", "" where no record is meant


class FieldError(msgspec.Struct, frozen=True):
    """One field of a request that can't be taken, and what to do about it."""

    field: str
    code: str
    message: str
    suggestion: str | None = None


class ErrorKind(Enum):
    """What sort of refusal an error is; the HTTP status follows from it alone."""

    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    NOT_AFFORDABLE = "not_affordable"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNPROCESSABLE = "unprocessable"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNAVAILABLE = "unavailable"


class CountinghouseError(Exception):
    """Base of every refusal. Subclass for a cause; `detail` is the sentence that a person reads."""

    kind: ClassVar[ErrorKind]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        explanation: Sequence[Reason] = (),
        retry_after_seconds: int | None = None,
        decision_id: UUID | None = None,
        code: str | None = None,
        title: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.explanation = tuple(explanation)
        self.retry_after_seconds = retry_after_seconds
        self.decision_id = decision_id
        self.problem_code = code or self.code
        self.problem_title = title or self.title


class MalformedRequestError(CountinghouseError):
    """The request itself is wrong: unknown or missing field, wrong type, bad JSON."""

    kind = ErrorKind.MALFORMED
    code = "malformed_request"
    title = "The request can't be read"


class UnauthenticatedError(CountinghouseError):
    """No credential, or one that is unknown, expired or revoked."""

    kind = ErrorKind.UNAUTHENTICATED
    code = "not_authenticated"
    title = "Not authenticated"


class ForbiddenError(CountinghouseError):
    """The caller is known and may not do this; `explanation` says which rule denied it.

    It is never empty: where a caller of ours has left it out, the sentence itself stands for it.
    """

    kind = ErrorKind.FORBIDDEN
    code = "not_allowed"
    title = "Not allowed"

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail, **more)
        self.explanation = self.explanation or (Reason(self.problem_code, "deny", detail),)


class NotFoundError(CountinghouseError):
    """Unknown, or for people also not visible: both answer alike."""

    kind = ErrorKind.NOT_FOUND
    code = "not_found"
    title = "Not found"


class ConflictError(CountinghouseError):
    """The record's state does not allow this now."""

    kind = ErrorKind.CONFLICT
    code = "state_conflict"
    title = "The record's state does not allow this"


class UnprocessableError(CountinghouseError):
    """Well-formed, but a value that can't be."""

    kind = ErrorKind.UNPROCESSABLE
    code = "impossible_value"
    title = "A value can't be accepted"


class UnavailableError(CountinghouseError):
    """Something that we need does not answer. Never used for a denial."""

    kind = ErrorKind.UNAVAILABLE
    code = "unavailable"
    title = "Temporarily unavailable"


class TooManyRequestsError(CountinghouseError):
    """The caller must wait `retry_after_seconds`."""

    kind = ErrorKind.TOO_MANY_REQUESTS
    code = "too_many_requests"
    title = "Too many requests"
