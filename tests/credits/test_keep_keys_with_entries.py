"""The entry of a consumption is the record of its key: for replays, for other calls, for refusals (spec 05)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.idempotency import Answer, IdempotencyKeyReusedError, lock_of_key, refusal_as_json, request_hash
from apps.core.models import IdempotencyRecord
from apps.credits.contracts import Consumption, scope_of
from apps.credits.enums import GrantType, OnInsufficient
from apps.credits.models import CreditEntry
from apps.credits.refusals import InsufficientCreditsError
from apps.credits.services import credit_grant, credits_authorize, credits_consume, credits_consume_batch, overdraft_set
from apps.credits.services.decisions import CONSUME_OPERATION, decisions_store
from apps.credits.services.grants import GrantParams
from apps.tenants.enums import BillingMode
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, consumption, give, look_at, make_place
from tests.credits.test_book_what_happened import set_mode
from tests.factories.tenants import make_user

Make = Callable[[Place], Consumption]


@pytest.fixture
def place(db: None) -> Place:
    return make_place(whole_credits=10)


def entry_of(scope: str, key: str) -> uuid.UUID:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credits_entry_of_key(%s, %s)", [scope, key])
        return uuid.UUID(str(cursor.fetchone()[0]))


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["run-1", "ein Schlüssel", "鍵", "a\\b'c", "k" * 255])
def test_the_id_of_an_entry_and_the_lock_of_its_key_are_of_one_digest(key: str) -> None:
    found = entry_of("product:red", key)
    assert (found.version, found.variant) == (8, uuid.RFC_4122)
    assert found != entry_of("product:blue", key)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ('x' || encode(substr(credits_key_digest(%s, %s), 1, 8), 'hex'))::bit(64)::bigint",
            ["product:red", key],
        )
        assert cursor.fetchone() == (lock_of_key("product:red", key),)
    lock = lock_of_key("product:red", key).to_bytes(8, "big", signed=True)
    assert found.bytes[:6] == lock[:6]  # the seventh byte begins with the version


@pytest.mark.django_db
def test_of_the_hash_of_a_request_the_last_128_bits_are_kept() -> None:
    plain, younger = request_hash(b"{}"), request_hash(b"{}", {"local_charge": 1})
    assert younger.startswith("2.")
    for text in (plain, younger):
        with connection.cursor() as cursor:
            cursor.execute("SELECT credits_body_hash(%s)", [text])
            assert cursor.fetchone()[0].hex == text[-32:]


def plain(place: Place) -> Consumption:
    return consumption(place)


def free(place: Place) -> Consumption:
    return consumption(place, operation="scan", quantity=3 * MICRO)


def beside_a_hold(place: Place) -> Consumption:
    _hold(place)
    return consumption(place, operation="unit")


def of_a_hold(place: Place) -> Consumption:
    return consumption(place, operation="unit", hold_id=_hold(place))


def with_overdraft(place: Place) -> Consumption:
    overdraft_set(console_context(), account_id=place.organization.pk, limit=5 * MICRO, reason="agreed")
    return consumption(place, operation="unit")


def recorded_debt(place: Place) -> Consumption:
    wanted: dict[str, Any] = {"operation": "unit", "quantity": 50 * MICRO, "user_id": make_user().pk}
    return consumption(place, **wanted, on_insufficient=OnInsufficient.RECORD)


def charged_before(place: Place) -> Consumption:
    credits_consume(place.context, consumption=consumption(place, run_id="run-7"))
    return consumption(place, run_id="run-7")


def local(place: Place) -> Consumption:
    set_mode(place, BillingMode.SHADOW)
    return consumption(place, local_charge=1)


def ignored(place: Place) -> Consumption:
    set_mode(place, BillingMode.CENTRAL)
    return consumption(place, local_charge=1)


def failed(place: Place) -> Consumption:
    return consumption(place, outcome="failed")


def late(place: Place) -> Consumption:
    at = clock.now() - timedelta(days=40)
    return consumption(place, operation="scan", occurred_at=at, on_insufficient=OnInsufficient.RECORD)


# What its answer says that the entry's own columns do not.
KINDS: dict[Make, set[str]] = {
    plain: set(),
    free: set(),
    failed: set(),
    local: set(),
    of_a_hold: set(),
    beside_a_hold: {"held", "available"},
    with_overdraft: {"held", "available"},
    recorded_debt: {"warnings"},
    charged_before: {"run_charged_before", "warnings"},
    ignored: {"warnings"},
    late: {"warnings"},
}


def _hold(place: Place) -> uuid.UUID:
    question = consumption(place, operation="unit").question
    opened: Any = credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)
    return uuid.UUID(opened["hold"]["id"])


def alone(place: Place, item: Consumption) -> Answer:
    return credits_consume(place.context, consumption=item)


def in_a_batch(place: Place, item: Consumption) -> Answer:
    """Beside another one, which is refused."""
    results = credits_consume_batch(
        place.context, consumptions=[consumption(place, operation="unit", quantity=10**12), item]
    )
    assert isinstance(results[0], InsufficientCreditsError)
    assert isinstance(results[1], Answer)
    return results[1]


@pytest.mark.parametrize("ask", [alone, in_a_batch])
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_a_repetition_is_answered_byte_for_byte_from_the_entry(place: Place, make: Make, ask: Any) -> None:
    item = make(place)
    first = ask(place, item)
    entry = CreditEntry.objects.get(idempotency_key=item.key)
    assert entry.pk == entry_of(scope_of(place.context), item.key) == uuid.UUID(str(first.body["entry_id"]))
    assert set(entry.answer_rest or ()) == KINDS[make]
    assert not IdempotencyRecord.objects.filter(key=item.key).exists()
    # Whatever becomes of the account.
    give(place, 100 * MICRO)
    _hold(place)
    overdraft_set(console_context(), account_id=place.organization.pk, limit=7 * MICRO, reason="agreed again")
    alone(place, consumption(place))
    look_at(place)
    for again in (alone(place, item), in_a_batch(place, item)):
        assert again.replayed
        assert json.dumps(dict(again.body)) == json.dumps(dict(first.body))
    assert CreditEntry.objects.filter(idempotency_key=item.key).count() == 1
    assert_sound()


def test_another_body_under_the_key_is_refused(place: Place) -> None:
    alone(place, consumption(place, "run"))
    with pytest.raises(IdempotencyKeyReusedError, match=rf"{clock.now():%Y-%m-%d} for credits\.consume"):
        alone(place, consumption(place, "run", run_id="another"))
    (result,) = credits_consume_batch(place.context, consumptions=[consumption(place, "run", outcome="failed")])
    assert isinstance(result, IdempotencyKeyReusedError)
    assert CONSUME_OPERATION in result.detail
    assert CreditEntry.objects.filter(idempotency_key="run").count() == 1


def _grant(place: Place, key: str) -> Answer:
    terms = GrantParams(grant_type=GrantType.BONUS, amount=MICRO)
    return credit_grant(place.context, key=key, account=place.ref, params=terms)


@pytest.mark.django_db(transaction=True)
def test_a_key_is_one_for_consumptions_and_all_other_calls() -> None:
    place = make_place(whole_credits=10)
    alone(place, consumption(place, "a"))
    with pytest.raises(IdempotencyKeyReusedError, match=rf"{clock.now():%Y-%m-%d} for credits.consume"):
        _grant(place, "a")
    _grant(place, "b")
    with pytest.raises(IdempotencyKeyReusedError, match=r"for credits\.grant"):
        alone(place, consumption(place, "b"))
    # Another product's key of the same text is another key.
    other = make_place("blue", whole_credits=10)
    assert not alone(other, consumption(other, "a")).replayed
    assert place.account.balance == 8_500_000
    assert_sound()


def refusal_of(place: Place, key: str) -> dict[str, object]:
    """What the second statement of a refusal stores."""
    return {
        "scope": scope_of(place.context),
        "key": key,
        "operation": CONSUME_OPERATION,
        "hash": "",
        "is_kept": True,
        "at": clock.now(),
        "answer": refusal_as_json(InsufficientCreditsError("Too little.")),
    }


def test_a_charged_key_does_not_come_into_the_store(place: Place) -> None:
    """Also not by what the release before sends, which does not look at entries: credits_keep_charged_key."""
    alone(place, consumption(place, "run"))
    refusal = refusal_of(place, "run")
    assert decisions_store([], [refusal, refusal_of(place, "new")]) == {"new"}
    assert decisions_store([], [{**refusal, "is_kept": False}, {**refusal_of(place, "open"), "is_kept": False}]) == {
        "open"
    }
    with pytest.raises(IntegrityError, match="was charged"), transaction.atomic():
        IdempotencyRecord.objects.create(
            scope=scope_of(place.context),
            key="run",
            operation="credits.grant",
            body_hash="",
            outcome="answered",
            status=201,
            answer={},
            created_at=clock.now(),
        )
    assert not IdempotencyRecord.objects.filter(key="run").exists()


def refused_beside_a_charge(place: Place) -> set[object]:
    """What a refusal's second statement says of the key that is being charged, before that is committed."""

    def refuse() -> set[object]:
        try:
            return decisions_store([], [refusal_of(place, "run")])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            alone(place, consumption(place, "run"))
            told = pool.submit(refuse)
            _wait_until_it_waits_or_is(told.done)
        return told.result(60)


def _wait_until_it_waits_or_is(done: Callable[[], bool]) -> None:
    deadline = clock.now() + timedelta(seconds=60)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not done():
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone() != (0,):
                return
        assert clock.now() < deadline


@pytest.mark.django_db(transaction=True)
def test_a_refusal_waits_for_the_charge_of_its_key() -> None:
    place = make_place(whole_credits=10)
    assert refused_beside_a_charge(place) == set()
    assert not IdempotencyRecord.objects.filter(key="run").exists()


@pytest.mark.django_db(transaction=True)
def test_control_without_the_trigger_a_charged_key_is_refused_too() -> None:
    place = make_place(whole_credits=10)
    name = "idempotency_record_was_not_charged"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE core_idempotencyrecord DISABLE TRIGGER {name}")
        try:
            assert refused_beside_a_charge(place) == {"run"}
        finally:
            cursor.execute(f"ALTER TABLE core_idempotencyrecord ENABLE TRIGGER {name}")
