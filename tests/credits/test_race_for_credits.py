"""No double spend, whoever races (spec 11, P1 and "Two races"), each with a wrong form that the test catches."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from functools import partial
from multiprocessing import get_context
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer, IdempotencyKeyInFlightError
from apps.credits.models import CreditAccount, CreditEntry
from apps.credits.services import credits_consume
from tests.core.threads import at_once
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.prove]

THREADS = 16
PROCESSES = 2
DEBITS = size(small=5_000, full=100_000)
SPREAD = 20


def spend(place: Place, key: str) -> str:
    """One whole credit; how it ended. A key in flight is asked again, as the header says."""
    while True:
        try:
            answer = credits_consume(place.context, consumption=consumption(place, key, operation="unit"))
        except IdempotencyKeyInFlightError:
            continue
        except CountinghouseError as error:
            return error.problem_code
        return "replayed" if answer.replayed else "charged"


def spend_many(places: list[Place], each: int, worker: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for number in range(each):
        counts[spend(places[(number + worker) % len(places)], uuid.uuid4().hex)] += 1
    return counts


def storm(places: list[Place], each: int) -> Counter[str]:
    total: Counter[str] = Counter()
    for result in at_once(THREADS // PROCESSES, partial(spend_many, places, each)):
        assert isinstance(result, Counter), result
        total += result
    return total


def _in_process(places: list[Place], each: int, results: Any) -> None:
    try:
        results.put(storm(places, each))
    finally:
        connections.close_all()


@pytest.mark.parametrize("accounts", [1, SPREAD], ids=["hot", "spread"])
def test_what_is_granted_is_exactly_what_there_is(accounts: int) -> None:
    places = [make_place(f"red-{number}") for number in range(accounts)]
    each = DEBITS // 2 // THREADS
    demand = each * THREADS
    for place in places:
        # Too little for all: one in ten is refused.
        give(place, demand * 9 // 10 // accounts * MICRO)
    balance = sum(place.account.balance for place in places) // MICRO
    connections.close_all()
    context = get_context("fork")
    results = context.SimpleQueue()
    workers = [context.Process(target=_in_process, args=(places, each, results)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    counts: Counter[str] = sum((results.get() for _ in workers), Counter())
    for worker in workers:
        worker.join()
    assert counts["charged"] == min(demand, balance)
    assert counts == {"charged": balance, "insufficient_credits": demand - balance}
    assert all(place.account.balance == 0 for place in places)
    assert_sound()
    print(f"P1: {demand} concurrent debits on {accounts} accounts, {THREADS} threads in {PROCESSES} processes: exact")


def naive_spend(place: Place, number: int) -> int:
    """Read, check, write: what the tests above must be able to catch."""
    granted = 0
    for _ in range(40):
        balance = CreditAccount.objects.values_list("balance", flat=True).get(pk=place.organization.pk)
        if balance >= MICRO:
            CreditAccount.objects.filter(pk=place.organization.pk).update(balance=balance - MICRO)
            granted += 1
    return granted


def test_control_a_naive_debit_grants_more_than_there_is() -> None:
    place = make_place(whole_credits=100)
    granted = [count for count in at_once(THREADS, partial(naive_spend, place)) if isinstance(count, int)]
    assert sum(granted) > 100


def repeat(place: Place, keys: list[str], worker: int) -> Counter[str]:
    return Counter(spend(place, key) for key in keys)


def test_a_key_repeated_at_once_is_charged_once() -> None:
    place = make_place(whole_credits=1_000)
    keys = [f"run-{number}" for number in range(50)]
    results = at_once(THREADS, partial(repeat, place, keys))
    total: Counter[str] = sum((result for result in results if isinstance(result, Counter)), Counter())
    assert total == {"charged": 50, "replayed": 50 * (THREADS - 1)}
    assert place.account.balance == 950 * MICRO
    assert_sound()


def test_no_repetition_of_a_success_is_refused_when_the_credits_are_gone() -> None:
    place = make_place(whole_credits=25)
    keys = [f"run-{number}" for number in range(50)]
    results = at_once(THREADS, partial(repeat, place, keys))
    total: Counter[str] = sum((result for result in results if isinstance(result, Counter)), Counter())
    assert total == {
        "charged": 25,
        "replayed": 25 * (THREADS - 1),
        "insufficient_credits": 25 * THREADS,
    }
    assert_sound()


# The wrong forms: debit and record in one statement, without the key's lock and without the unique violation.
_DEBIT = """WITH prior AS (SELECT 1 FROM core_idempotencyrecord WHERE scope = %(scope)s AND key = %(key)s),
debit AS (UPDATE credits_creditaccount SET balance = balance - 1000000 WHERE organization_id = %(account)s::uuid
    AND balance >= 1000000 AND NOT EXISTS (SELECT 1 FROM prior) RETURNING balance)
INSERT INTO core_idempotencyrecord (scope, key, operation, body_hash, outcome, status, answer, created_at)
SELECT %(scope)s, %(key)s, 'wrong', '', 'answered', 201, '{}', now() FROM debit"""


def wrongly(place: Place, keys: list[str], statement: str, worker: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for key in keys:
        values: dict[str, str] = {"scope": "wrong", "key": key, "account": str(place.organization.pk)}
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, values)
                if cursor.rowcount:
                    counts["charged"] += 1
                    continue
                cursor.execute("SELECT pg_sleep(0)")
            counts["nothing"] += 1
        except IntegrityError:
            counts["replayed"] += 1
    return counts


def test_control_a_debit_that_ignores_the_conflict_charges_more_than_it_records() -> None:
    place = make_place(whole_credits=100_000)
    keys = [f"run-{number}" for number in range(100)]
    at_once(THREADS, partial(wrongly, place, keys, f"{_DEBIT} ON CONFLICT DO NOTHING"))
    taken = (100_000 * MICRO - place.account.balance) // MICRO
    assert taken > len(keys)


def test_control_one_statement_without_a_second_look_refuses_repetitions_of_successes() -> None:
    for attempt in itertools.count(1):
        place = make_place(f"red-{attempt}", whole_credits=1)
        key = f"run-{attempt}"
        results = at_once(THREADS, partial(wrongly, place, [key], _DEBIT))
        total: Counter[str] = sum((result for result in results if isinstance(result, Counter)), Counter())
        assert total["charged"] == 1
        if total["nothing"]:
            return  # with no credits left, a repetition of the successful key came back with nothing: a false refusal
        assert attempt < 50, "the race was never lost"


def test_no_answer_is_lost_to_the_threads() -> None:
    place = make_place(whole_credits=10)
    answers = at_once(4, lambda _: credits_consume(place.context, consumption=consumption(place, uuid.uuid4().hex)))
    assert all(isinstance(answer, Answer) for answer in answers)
    assert CreditEntry.objects.filter(kind="consumption").count() == 4
