"""The idempotency store: one key, one effect, one answer, for ever (spec 05, No double charge).

Key, hash of the canonical body and answer are committed together with the effect. The key is locked by an advisory
lock of that transaction, so that the lock of a killed holder is gone with its connection.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from msgspec import structs

from apps.core import clock
from apps.core.canonical import Plain, canonical_bytes
from apps.core.errors import (
    ConflictError,
    CountinghouseError,
    ErrorKind,
    FieldError,
    MalformedRequestError,
    Reason,
    UnprocessableError,
)
from apps.core.failpoints import failpoint
from apps.core.kept_elsewhere import kept_elsewhere
from apps.core.locks import lock_number
from apps.core.models import IdempotencyRecord
from apps.core.old_answers import GONE, rebuild_answer
from apps.core.states import IdempotencyOutcome
from apps.core.texts import LINE_REFUSED

LONGEST_KEY = 255
RETRY_AFTER_SECONDS = 1
# For a statement of another app that stores refusals beside rows of its own; `$1` is a JSON array of them. The first
# keeps those that are kept, the second finds the keys of the others that are unused still.
INSERT_REFUSALS = """
    INSERT INTO core_idempotencyrecord (scope, key, operation, body_hash, outcome, status, answer, created_at)
    SELECT r->>'scope', r->>'key', r->>'operation', r->>'hash', 'refused', NULL, r->'answer', (r->>'at')::timestamptz
    FROM jsonb_array_elements($1::jsonb) r WHERE (r->>'is_kept')::boolean
    ON CONFLICT (scope, key) DO NOTHING RETURNING scope, key
"""
UNUSED_KEYS = """
    SELECT r->>'scope' AS scope, r->>'key' AS key FROM jsonb_array_elements($1::jsonb) r
    WHERE NOT (r->>'is_kept')::boolean AND NOT EXISTS (
        SELECT 1 FROM core_idempotencyrecord k WHERE k.scope = r->>'scope' AND k.key = r->>'key')
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered. `body` is JSON; `replayed` says that the effect had happened before."""

    status: int
    body: Mapping[str, Plain]
    replayed: bool = False


class IdempotencyKeyInFlightError(ConflictError):
    """Another request with the same key is being carried out at this moment."""

    code = "idempotency_key_in_flight"
    title = "The same request is still in progress"


class IdempotencyKeyReusedError(UnprocessableError):
    """The key stands for another request."""

    code = "idempotency_key_reused"
    title = "The idempotency key was used for another request"


class RepeatedRefusalError(CountinghouseError):
    """The refusal that the first request with the key got, again. Equal to it in all that the caller sees.

    Code and title are always the first refusal's.
    """


class _RepeatedNotAffordableError(RepeatedRefusalError):
    kind = ErrorKind.NOT_AFFORDABLE


class _RepeatedForbiddenError(RepeatedRefusalError):
    kind = ErrorKind.FORBIDDEN


class _RepeatedConflictError(RepeatedRefusalError):
    kind = ErrorKind.CONFLICT


class _RepeatedUnprocessableError(RepeatedRefusalError):
    kind = ErrorKind.UNPROCESSABLE


# The first release kept these too; what it stored is told for ever.
_REPEATED: dict[ErrorKind, type[RepeatedRefusalError]] = {
    error.kind: error
    for error in (
        _RepeatedNotAffordableError,
        _RepeatedForbiddenError,
        _RepeatedConflictError,
        _RepeatedUnprocessableError,
    )
}


# What a request's hash is made of, by number. The first has all fields of the first release, sent or not, and is
# written without its number. A younger field is hashed where it was sent: a request without it keeps its hash.
_FORMAT_WITH_YOUNGER = "2."


@dataclass(frozen=True, slots=True)
class _Request:
    scope: str
    key: str
    operation: str
    body_hash: str


def request_hash(canonical: bytes, younger: Mapping[str, object] | None = None) -> str:
    """What two requests with one key must have in common, as the store keeps it.

    `canonical` is the canonical form of the fields that the first release knew, `younger` the fields since then; those
    that are None were not sent.
    """
    sent = {name: value for name, value in (younger or {}).items() if value is not None}
    if not sent:
        return hashlib.sha256(canonical).hexdigest()
    digest = hashlib.sha256(canonical + b"\n" + canonical_bytes(sent)).hexdigest()
    return (_FORMAT_WITH_YOUNGER + digest)[: len(digest)]


def lock_of_key(scope: str, key: str) -> int:
    """The advisory lock under which the key's first request is carried out."""
    return lock_number(f"idempotency\x1f{scope}\x1f{key}")


def in_flight(key: str) -> IdempotencyKeyInFlightError:
    """Another request holds the key's lock."""
    return IdempotencyKeyInFlightError(
        f"A request with the idempotency key {key!r} is still in progress; repeat it in a moment.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def reused(key: str, *, used_for: str, used_at: datetime) -> IdempotencyKeyReusedError:
    """The key stands for a request of another body or endpoint."""
    return IdempotencyKeyReusedError(
        f"The idempotency key {key!r} was used on {used_at:%Y-%m-%d} for {used_for} with another body. Use a new key "
        "for a new request."
    )


def is_kept(refusal: CountinghouseError) -> bool:
    """Whether a repetition is told the same. What can be mended leaves the key unused (spec 05)."""
    return refusal.kind is ErrorKind.NOT_AFFORDABLE


def idempotent(
    *,
    scope: str,
    key: str,
    operation: str,
    body: Mapping[str, object],
    perform: Callable[[], Answer],
    younger: Mapping[str, object] | None = None,
) -> Answer:
    """Carry out `perform` once for this key of this scope, and answer every repetition alike.

    `perform` runs inside a transaction that is committed with its answer. A refusal for want of credits undoes its
    effect, is stored, and is raised again at every repetition; any other error leaves nothing behind. `younger` are
    fields of the body that the first release did not know.

    Must not run inside a transaction: a refusal has to be committed and raised. Raises `IdempotencyKeyReusedError`,
    `IdempotencyKeyInFlightError`, and `MalformedRequestError` for a key that is empty, too long or not storable.
    """
    _check_key(key)
    request = _Request(scope, key, operation, request_hash(canonical_bytes(body), younger))
    record = _find(request)
    if record is not None:
        return _replay(record, request)
    try:
        outcome = _first_time(request, perform)
    except IntegrityError:
        # A statement that claims its key by inserting it was quicker; its answer counts. Else the error was another.
        record = _find(request)
        if record is None:
            raise
        return _replay(record, request)
    failpoint("idempotency.after_commit")
    if isinstance(outcome, CountinghouseError):
        raise outcome
    return outcome


def _first_time(request: _Request, perform: Callable[[], Answer]) -> Answer | CountinghouseError:
    with transaction.atomic(durable=True):
        _lock(request)
        # Whoever held the lock before us may have committed since we looked.
        record = _find(request) or kept_elsewhere(request.scope, request.key)
        if record is not None:
            return _replay(record, request)
        outcome = _perform(perform)
        _store(request, outcome)
        failpoint("idempotency.before_commit")
    return outcome


def _perform(perform: Callable[[], Answer]) -> Answer | CountinghouseError:
    try:
        with transaction.atomic():
            answer = perform()
            return Answer(answer.status, _object(answer.body))
    except CountinghouseError as refusal:
        if not is_kept(refusal):
            raise
        return refusal


def _lock(request: _Request) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock_of_key(request.scope, request.key)])
        if cursor.fetchone() != (True,):
            raise in_flight(request.key)


def _find(request: _Request) -> IdempotencyRecord | None:
    return IdempotencyRecord.objects.filter(scope=request.scope, key=request.key).first()


def _store(request: _Request, outcome: Answer | CountinghouseError) -> None:
    is_answer = isinstance(outcome, Answer)
    IdempotencyRecord.objects.create(
        scope=request.scope,
        key=request.key,
        operation=request.operation,
        body_hash=request.body_hash,
        outcome=IdempotencyOutcome.ANSWERED if is_answer else IdempotencyOutcome.REFUSED,
        status=outcome.status if isinstance(outcome, Answer) else None,
        answer=outcome.body if isinstance(outcome, Answer) else refusal_as_json(outcome),
        created_at=clock.now(),
    )


def _replay(record: IdempotencyRecord, request: _Request) -> Answer:
    if (record.operation, record.body_hash) != (request.operation, request.body_hash):
        raise reused(request.key, used_for=record.operation, used_at=record.created_at)
    if record.outcome == IdempotencyOutcome.REFUSED:
        raise refusal_from_json(record.answer)
    return Answer(record.status or 200, _object(rebuild_answer(record.operation, record.answer)), replayed=True)


def refusal_as_json(refusal: CountinghouseError) -> dict[str, Plain]:
    """All that a caller sees of a refusal, as plain JSON."""
    return _object(
        {
            "kind": refusal.kind.value,
            "code": refusal.problem_code,
            "title": refusal.problem_title,
            "detail": refusal.detail,
            "errors": [structs.asdict(error) for error in refusal.errors],
            "explanation": [structs.asdict(reason) for reason in refusal.explanation],
            "retry_after_seconds": refusal.retry_after_seconds,
            "decision_id": refusal.decision_id,
        }
    )


def refusal_from_json(stored: Mapping[str, Any]) -> RepeatedRefusalError:
    """The refusal that `refusal_as_json` wrote down; of an old one what `reduce_answer` has left of it."""
    decision_id = stored["decision_id"]
    return _REPEATED[ErrorKind(stored["kind"])](
        stored.get("detail", GONE["fact"]),
        errors=[FieldError(**error) for error in stored.get("errors", ())],
        explanation=[Reason(**reason) for reason in stored.get("explanation", [GONE])],
        retry_after_seconds=stored.get("retry_after_seconds"),
        decision_id=UUID(decision_id) if decision_id else None,
        code=stored["code"],
        title=stored["title"],
    )


def _object(body: Mapping[str, object]) -> dict[str, Plain]:
    """The body in its canonical order of keys: JSONB forgets the order, and a repetition is answered byte for byte."""
    return dict(json.loads(canonical_bytes(body)))


def _check_key(key: str) -> None:
    if not key or len(key) > LONGEST_KEY or LINE_REFUSED.search(key):
        raise MalformedRequestError(
            f"The idempotency key must be 1 to {LONGEST_KEY} printable characters.",
            errors=[FieldError("idempotency_key", "invalid_key", f"Send 1 to {LONGEST_KEY} printable characters.")],
        )
