"""Requests with one key that race, and holders of a key that are killed (spec 05, No double charge; spec 11, P11)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import DatabaseError, connection

from apps.core.errors import ErrorKind
from apps.core.failpoints import Failpoint
from apps.core.idempotency import Answer, IdempotencyKeyInFlightError
from apps.core.models import IdempotencyRecord
from tests.core.charges import charge, leave_effect, request
from tests.core.processes import dies_at, kill, started
from tests.core.threads import at_once
from tests.sizes import size

THREADS = 16


def test_a_request_in_flight_answers_so_and_the_others_go_on(effects: Callable[[], int]) -> None:
    is_inside, may_end = Event(), Event()

    def slow() -> Answer:
        is_inside.set()
        assert may_end.wait(30)
        return charge()

    def call(number: int) -> object:
        if number == 0:
            return request(slow)
        assert is_inside.wait(30)
        try:
            return request()
        except IdempotencyKeyInFlightError as error:
            return error.problem_code, error.kind, bool(error.retry_after_seconds), request(key="another").replayed
        finally:
            may_end.set()

    first, second = at_once(2, call)
    assert isinstance(first, Answer)
    assert second == ("idempotency_key_in_flight", ErrorKind.CONFLICT, True, False)
    assert request().body == first.body
    assert effects() == 2


@pytest.mark.prove(
    "P11 sixteen requests with one key at once have one effect", control="look, then act: the effect is doubled"
)
def test_sixteen_at_once_have_one_effect(effects: Callable[[], int]) -> None:
    for number in range(size(small=10, full=500)):
        key = f"race-{number}"
        results = at_once(THREADS, lambda _, key=key: request(key=key))  # type: ignore[misc]
        answers = [result for result in results if isinstance(result, Answer)]
        refused = [result for result in results if not isinstance(result, Answer)]
        assert len({str(answer.body) for answer in answers}) == 1
        assert [answer.replayed for answer in answers].count(False) == 1
        assert all(isinstance(result, IdempotencyKeyInFlightError) for result in refused)
        assert effects() == number + 1


def test_control_looking_and_then_acting_doubles_the_effect(effects: Callable[[], int]) -> None:
    """Without the lock, both look before either acts. The test above must be able to notice."""
    both_looked = Barrier(2)

    def look_then_act(_: int) -> None:
        if IdempotencyRecord.objects.filter(scope="product:red", key="run-1").exists():
            return
        both_looked.wait(30)
        leave_effect()

    at_once(2, look_then_act)
    assert effects() == 2


def test_a_statement_that_claims_the_key_itself_wins(effects: Callable[[], int]) -> None:
    """Where the effect is one statement that inserts the key, its unique violation sends us to its answer."""
    first = request()
    stored = IdempotencyRecord.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM core_idempotencyrecord")
        cursor.execute("SET session_replication_role = DEFAULT")

    def overtaken() -> Answer:
        def insert(_: int) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = replica")  # no trigger makes it wait for the lock
            IdempotencyRecord.objects.bulk_create([stored])

        at_once(1, insert)
        return charge()

    assert request(overtaken) == Answer(first.status, first.body, replayed=True)
    assert effects() == 1


def test_an_error_of_the_database_is_no_answer(effects: Callable[[], int]) -> None:
    def breaks() -> Answer:
        IdempotencyRecord.objects.create(scope="", key="", operation="", body_hash="", outcome="", answer={})
        return charge()

    with pytest.raises(DatabaseError):
        request(breaks)
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.prove
def test_a_killed_holder_leaves_the_key_free(effects: Callable[[], int], tmp_path: Any) -> None:
    inside = tmp_path / "inside"

    def hold() -> Answer:
        leave_effect()
        inside.touch()
        time.sleep(60)
        return charge()

    for number in range(size(small=3, full=100)):
        key = f"held-{number}"
        process = started(partial(request, hold, key=key))
        while not inside.exists():
            time.sleep(0.005)
        with pytest.raises(IdempotencyKeyInFlightError):
            request(key=key)
        kill(process)
        inside.unlink()
        assert not request_until_free(key).replayed
        assert effects() == number + 1


def request_until_free(key: str) -> Answer:
    """The server notices a dead client when it next writes or reads; a caller waits as Retry-After says."""
    for _ in range(90):
        try:
            return request(key=key)
        except IdempotencyKeyInFlightError as error:
            time.sleep(error.retry_after_seconds or 1)
    raise AssertionError("The key of a killed holder was still locked after 90 tries.")


PLACES: list[tuple[Failpoint, bool]] = [("idempotency.before_commit", False), ("idempotency.after_commit", True)]


@pytest.mark.parametrize(("place", "is_kept"), PLACES)
def test_killed_around_the_commit_it_happened_once_or_not_at_all(
    effects: Callable[[], int], place: Failpoint, is_kept: bool
) -> None:
    assert dies_at(place, request)
    assert (effects() == 1) is is_kept
    assert request_until_free("run-1").replayed is is_kept
    assert effects() == 1
