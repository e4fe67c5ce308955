"""A key stands for one request: one effect, one answer, however often and however at once it comes (spec 05)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.core import idempotency
from apps.core.clock import now
from apps.core.errors import (
    ConflictError,
    CountinghouseError,
    ErrorKind,
    FieldError,
    ForbiddenError,
    MalformedRequestError,
    NotFoundError,
    Reason,
    UnavailableError,
    UnprocessableError,
)
from apps.core.idempotency import (
    Answer,
    IdempotencyKeyReusedError,
    RepeatedRefusalError,
)
from apps.core.models import IdempotencyRecord
from tests.core.charges import charge, leave_effect, request
from tests.sizes import size

REFUSALS = size(small=20, full=500)


class TooPoorError(CountinghouseError):
    kind: ClassVar[ErrorKind] = ErrorKind.NOT_AFFORDABLE
    code: ClassVar[str] = "insufficient_credits"
    title: ClassVar[str] = "Not enough credits"


def test_a_repetition_gets_the_same_answer_and_has_no_effect(effects: Callable[[], int]) -> None:
    first = request()
    again = request()
    assert (again.status, json.dumps(again.body)) == (first.status, json.dumps(first.body))
    assert (first.replayed, again.replayed) == (False, True)
    assert effects() == 1


SAME_REQUEST = [{"a": 1, "b": [1, {"c": None, "d": "é"}]}, {"b": [1, {"d": "é", "c": None}], "a": 1}]
OTHER_REQUESTS: list[dict[str, Any]] = [
    {"body": {"quantity": "2"}},
    {"body": {"quantity": 1}},
    {"body": {"quantity": "1", "more": None}},
    {"body": {"Quantity": "1"}},
    {"body": {}},
    {"operation": "credits.grant"},
]


def test_the_order_of_fields_is_no_difference(effects: Callable[[], int]) -> None:
    assert [request(body=body).replayed for body in SAME_REQUEST] == [False, True]
    assert effects() == 1


@pytest.mark.parametrize("changes", OTHER_REQUESTS, ids=str)
def test_the_key_of_another_request_is_refused(effects: Callable[[], int], changes: dict[str, Any]) -> None:
    first = request()
    with pytest.raises(IdempotencyKeyReusedError) as refusal:
        request(**changes)
    assert (refusal.value.kind, refusal.value.problem_code) == (ErrorKind.UNPROCESSABLE, "idempotency_key_reused")
    assert request().body == first.body
    assert effects() == 1


def test_keys_of_different_scopes_do_not_meet(effects: Callable[[], int]) -> None:
    assert not request(scope="product:red").replayed
    assert not request(scope="product:blue").replayed
    assert effects() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "nul\x00", "line\nbreak", "half\ud800"])
def test_a_key_that_can_not_be_is_refused(key: str) -> None:
    with pytest.raises(MalformedRequestError):
        request(key=key)
    assert not IdempotencyRecord.objects.exists()


TOO_POOR = TooPoorError("Only 1.5 credits are left.", decision_id=uuid.uuid4())
# The first release kept these with their key too.
MENDABLE: list[CountinghouseError] = [
    ForbiddenError("No.", explanation=[Reason("membership", "deny", "no row", "organization:1")]),
    ConflictError("The hold expired.", code="hold_expired", title="Expired", retry_after_seconds=5),
    UnprocessableError("Too late.", errors=[FieldError("occurred_at", "too_old", "At most 35 days.", "today")]),
]
NOT_KEPT: list[Exception] = [
    *MENDABLE,
    UnavailableError("The provider does not answer."),
    MalformedRequestError("What?"),
    NotFoundError("Where?"),
    ZeroDivisionError(),
]


def refusing(error: Exception) -> Callable[[], Answer]:
    def perform() -> Answer:
        leave_effect()
        raise error

    return perform


def seen(error: CountinghouseError) -> tuple[object, ...]:
    return (
        error.kind,
        error.problem_code,
        error.problem_title,
        error.detail,
        error.errors,
        error.explanation,
        error.retry_after_seconds,
        error.decision_id,
    )


@pytest.mark.parametrize("error", [TOO_POOR, *MENDABLE], ids=lambda error: type(error).__name__)
def test_a_stored_refusal_stays_that_refusal(
    effects: Callable[[], int], error: CountinghouseError, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as former:
        if error is not TOO_POOR:
            former.setattr(idempotency, "is_kept", lambda refusal: True)
        with pytest.raises(type(error)):
            request(refusing(error))
    with pytest.raises(RepeatedRefusalError) as repeated:
        request(charge)
    assert seen(repeated.value) == seen(error)
    assert effects() == 0
    assert not request(charge, key="run-2").replayed


@pytest.mark.parametrize("error", NOT_KEPT, ids=lambda error: type(error).__name__)
def test_what_can_be_mended_leaves_the_key_unused(effects: Callable[[], int], error: Exception) -> None:
    with pytest.raises(type(error)):
        request(refusing(error))
    assert not IdempotencyRecord.objects.exists()
    assert effects() == 0
    assert not request(charge).replayed


@pytest.mark.prove("P11 a refused request stays refused", size=REFUSALS)
def test_refusals_stay_though_the_reason_is_gone(effects: Callable[[], int]) -> None:
    """P11: every request that could not be afforded, repeated with its key after the account was filled."""
    for number in range(REFUSALS):
        with pytest.raises(TooPoorError):
            request(refusing(TOO_POOR), key=f"run-{number}")
        with pytest.raises(RepeatedRefusalError) as repeated:
            request(charge, key=f"run-{number}")
        assert seen(repeated.value) == seen(TOO_POOR)
    assert effects() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement", ["UPDATE core_idempotencyrecord SET key = 'x'", "DELETE FROM core_idempotencyrecord"]
)
def test_the_store_is_for_ever(statement: str) -> None:
    request(lambda: Answer(200, {}))
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert request(lambda: Answer(200, {})).replayed


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", ["answered", "refused", "lost"])
@pytest.mark.parametrize("status", [None, 199, 200, 299, 300])
def test_an_answer_has_the_status_of_a_success_and_a_refusal_has_none(outcome: str, status: int | None) -> None:
    record = IdempotencyRecord(scope="s", key="k", outcome=outcome, status=status, answer={}, created_at=now())
    is_possible = (outcome, status) in {("answered", 200), ("answered", 299), ("refused", None)}
    with nullcontext() if is_possible else pytest.raises(IntegrityError), transaction.atomic():
        record.save()


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_it_refuses() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        request(lambda: Answer(200, {}))
    assert not IdempotencyRecord.objects.exists()
