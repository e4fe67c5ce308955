"""The two races of a one-statement debit (spec 11, "Two races to keep"), each lost by its wrong form and not by ours.

The interleaving is made, not hoped for: the first request stands before its commit while the second, with the same
key, runs; PostgreSQL itself is asked when the second one waits.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, get_ident

import pytest
from django.db import IntegrityError, connection, connections, transaction

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.failpoints import Failpoint, armed
from apps.core.idempotency import IdempotencyKeyInFlightError
from apps.core.models import IdempotencyRecord
from apps.credits.models import CreditEntry
from apps.credits.services import credits_consume
from tests.core.threads import at_once
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = size(small=3, full=100)
PATIENCE_SECONDS = 60.0
Form = Callable[[Place, str], str]

# The wrong forms: look for the key, debit and record in one statement, without the lock of the key.
_DEBIT = """WITH prior AS (SELECT 1 FROM core_idempotencyrecord WHERE scope = %(scope)s AND key = %(key)s),
debit AS (UPDATE credits_creditaccount SET balance = balance - 1000000 WHERE organization_id = %(account)s::uuid
    AND balance >= 1000000 AND NOT EXISTS (SELECT 1 FROM prior) RETURNING balance)
INSERT INTO core_idempotencyrecord (scope, key, operation, body_hash, outcome, status, answer, created_at)
SELECT %(scope)s, %(key)s, 'credits.consume', '', 'answered', 201, '{}', now() FROM debit"""


def ours(place: Place, key: str) -> str:
    """The product's consume, asked once."""
    try:
        answer = credits_consume(place.context, consumption=consumption(place, key, operation="unit"))
    except CountinghouseError as error:
        return error.problem_code
    return "replayed" if answer.replayed else "charged"


def ignoring_the_conflict(place: Place, key: str) -> str:
    """Wrong: a conflict drops the record and leaves the debit."""
    return "charged" if _debit(place, key, f"{_DEBIT} ON CONFLICT DO NOTHING") else "replayed"


def without_a_second_look(place: Place, key: str) -> str:
    """Wrong: nothing came back, so it must be the credits."""
    try:
        return "charged" if _debit(place, key, _DEBIT) else "insufficient_credits"
    except IntegrityError:
        return "replayed"


def with_a_second_look(place: Place, key: str) -> str:
    """The right form of one statement: the violation aborts it, and where nothing came back the key is read again."""
    word = without_a_second_look(place, key)
    is_known = word != "charged" and IdempotencyRecord.objects.filter(key=key).exists()
    return "replayed" if is_known else word


def _debit(place: Place, key: str, statement: str) -> bool:
    values = {"scope": f"product:{place.product.pk}", "key": key, "account": str(place.organization.pk)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return bool(cursor.rowcount == 1)


def race(form: Form, place: Place, key: str) -> list[str]:
    """What the first request was told, and what the second was, which ran before the first was committed."""
    second_pid: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first = form(place, key)
            second = pool.submit(run_second, form, place, key, second_pid)
            wait_until(lambda: second.done() or (bool(second_pid) and is_waiting(second_pid[0])))
        return [first, second.result(PATIENCE_SECONDS)]


def run_second(form: Form, place: Place, key: str, pids: list[int]) -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
        return form(place, key)
    finally:
        connections.close_all()


def is_waiting(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone() == (True,))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def faults_of(form: Form, *, whole_credits: int) -> list[str]:
    """What the form does wrong when the second request with one key overtakes the first one's commit."""
    place = make_place(f"red-{uuid.uuid4().hex[:8]}", whole_credits=whole_credits)
    first, second = race(form, place, "run")
    taken = whole_credits - place.account.balance // MICRO
    # The wrong forms record the key in the store; of ours the entry is the record.
    kept = IdempotencyRecord.objects.filter(key="run", scope=f"product:{place.product.pk}").count()
    kept += CreditEntry.objects.filter(idempotency_key="run", product_id=place.product.pk).count()
    later = form(place, "run")
    faults = [f"charged {taken}, recorded {kept}"] if (taken, kept) != (1, 1) else []
    if first != "charged" or second not in {"replayed", "idempotency_key_in_flight"} or later != "replayed":
        faults.append(f"one key was told {first}, {second}, {later}")
    return faults


@pytest.mark.prove(
    "P1 a key racing itself is charged once and never falsely refused, at the last credit too",
    size=2 * ROUNDS,
    control="both wrong forms of spec 11 are caught",
)
@pytest.mark.parametrize("form", [ours, with_a_second_look])
def test_a_key_that_races_itself_is_charged_once_and_never_refused(form: Form) -> None:
    for _ in range(ROUNDS):
        assert faults_of(form, whole_credits=100) == []
        assert faults_of(form, whole_credits=1) == []
    if form is ours:
        assert_sound()


def test_control_a_debit_that_ignores_the_conflict_charges_more_than_it_records() -> None:
    assert "charged 2, recorded 1" in faults_of(ignoring_the_conflict, whole_credits=100)


def test_control_one_statement_without_a_second_look_refuses_what_was_charged() -> None:
    told = "one key was told charged, insufficient_credits, insufficient_credits"
    assert faults_of(without_a_second_look, whole_credits=1) == [told]


@pytest.mark.slow
def test_sixteen_at_once_are_all_answered_with_the_one_charge() -> None:
    place = make_place(whole_credits=3)
    for key in ("a", "b", "c"):  # the third takes the last credit
        words = at_once(16, lambda _, key=key: _until_answered(place, key))  # type: ignore[misc]
        assert sorted(map(str, words)) == ["charged"] + ["replayed"] * 15
    assert place.account.balance == 0
    assert_sound()


def _until_answered(place: Place, key: str) -> str:
    while True:
        word = ours(place, key)
        if word != IdempotencyKeyInFlightError.code:
            return word
        time.sleep(0.002)


def paused_at(name: Failpoint, work: Callable[[], str], meanwhile: Callable[[], object]) -> str:
    """What `work` answers when `meanwhile` happens at the moment that it first passes the failpoint."""
    workers: list[int] = []
    reached, may_go_on = Event(), Event()

    def stop(passed: Failpoint) -> None:
        if passed == name and get_ident() in workers and not reached.is_set():
            reached.set()
            assert may_go_on.wait(PATIENCE_SECONDS)

    def alone() -> str:
        workers.append(get_ident())
        try:
            return work()
        finally:
            connections.close_all()

    with armed(stop), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(alone)
        assert reached.wait(PATIENCE_SECONDS)
        try:
            meanwhile()
        finally:
            may_go_on.set()
        return answer.result(PATIENCE_SECONDS)


def test_a_refusal_that_lost_the_race_for_its_key_answers_with_the_charge_that_won() -> None:
    """Refused for want of credits, and before that is written down they come and the key is charged."""
    place = make_place()
    assert ours(place, "warm-up") == "insufficient_credits"  # now the policy is known, and one statement refuses
    won: list[str] = []

    def fill_and_charge() -> None:
        give(place, MICRO)
        won.append(ours(place, "run"))

    assert paused_at("credits.after_statement", lambda: ours(place, "run"), fill_and_charge) == "replayed"
    assert (won, place.account.balance) == (["charged"], 0)
    assert_sound()


def test_a_request_that_finds_its_key_refused_meanwhile_stays_refused() -> None:
    place = make_place()
    told: list[str] = []

    def refuse_and_fill() -> None:
        told.append(ours(place, "run"))
        give(place, MICRO)

    assert paused_at("credits.before_statement", lambda: ours(place, "run"), refuse_and_fill) == "insufficient_credits"
    assert (told, place.account.balance) == (["insufficient_credits"], MICRO)
    assert_sound()
