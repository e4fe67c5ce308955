"""A refusal that another request overtook: the key's first decision is the answer, whatever the refusal says (spec 11).

The first request is refused by the statement and stopped before that is written down; meanwhile another request with
its key is charged. Whoever asks with a key is told what became of the key, be it a charge or another body's use of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from msgspec.structs import replace

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError, NotFoundError
from apps.core.models import IdempotencyRecord
from apps.credits.contracts import Consumption
from apps.credits.models import CreditEntry
from apps.credits.services import credits_authorize, credits_consume, credits_consume_batch, hold_release
from apps.credits.services import decisions as decisions_service
from apps.credits.services.decisions import decisions_store
from tests.credits.cast import Place, assert_sound, consumption, make_place
from tests.credits.test_race_for_key import paused_at

pytestmark = pytest.mark.django_db(transaction=True)
Ask = Callable[[Place, Consumption], str]


def alone(place: Place, item: Consumption) -> str:
    """What one consumption is told."""
    try:
        answer = credits_consume(place.context, consumption=item)
    except CountinghouseError as error:
        return error.problem_code
    return "replayed" if answer.replayed else "charged"


def in_a_batch(place: Place, item: Consumption) -> str:
    """What it is told beside another item."""
    _, result = credits_consume_batch(place.context, consumptions=[consumption(place, operation="unit"), item])
    if isinstance(result, CountinghouseError):
        return result.problem_code
    return "replayed" if result.replayed else "charged"


def ready_place() -> Place:
    """Warm: its policy is known to this process, so that the first statement is the one that refuses."""
    place = make_place(whole_credits=10)
    alone(place, consumption(place, "warm-up", operation="unit"))
    return place


def open_hold(place: Place) -> uuid.UUID:
    question = consumption(place, operation="unit").question
    opened: Any = credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)
    return uuid.UUID(opened["hold"]["id"])


def overtaken(place: Place, ask: Ask) -> tuple[str, list[str]]:
    """What a run of the future is told whose time comes, and who is charged by another, while it is being refused."""
    start = clock.now()
    item = consumption(place, "run", operation="unit", occurred_at=start + timedelta(minutes=6))
    won: list[str] = []

    def wait_and_charge() -> None:
        with time_machine.travel(start + timedelta(minutes=2)):
            won.append(alone(place, item))

    return paused_at("credits.after_statement", lambda: ask(place, item), wait_and_charge), won


@pytest.mark.parametrize("ask", [alone, in_a_batch])
def test_a_run_of_the_future_that_was_charged_when_its_time_had_come_is_told_so(ask: Ask) -> None:
    assert overtaken(ready_place(), ask) == ("replayed", ["charged"])
    assert CreditEntry.objects.filter(idempotency_key="run").count() == 1
    assert_sound()


@pytest.mark.parametrize("ask", [alone, in_a_batch])
def test_control_without_the_second_look_it_would_be_refused_though_charged(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep_and_trust(receipts: list[Any], refusals: list[Any]) -> set[object]:
        decisions_store(receipts, refusals)
        return {record["key"] for record in refusals}

    monkeypatch.setattr(decisions_service, "decisions_store", keep_and_trust)
    assert overtaken(ready_place(), ask) == ("impossible_value", ["charged"])


@pytest.mark.parametrize("ask", [alone, in_a_batch])
def test_an_ended_hold_under_a_key_that_was_used_meanwhile_is_told_of_the_key(ask: Ask) -> None:
    place = ready_place()
    ended = open_hold(place)
    hold_release(place.context, hold_id=ended, key="end")
    item = consumption(place, "run", operation="unit", hold_id=ended)
    won: list[str] = []

    def charge_without_the_hold() -> None:
        won.append(alone(place, replace(item, hold_id=None)))

    told = paused_at("credits.after_statement", lambda: ask(place, item), charge_without_the_hold)
    assert (told, won) == ("idempotency_key_reused", ["charged"])
    assert alone(place, item) == "idempotency_key_reused"
    assert_sound()


@pytest.mark.parametrize("ask", [alone, in_a_batch])
def test_control_without_anybody_in_between_the_refusal_is_told_and_the_key_is_free(ask: Ask) -> None:
    place = ready_place()
    ended = open_hold(place)
    hold_release(place.context, hold_id=ended, key="end")
    early = consumption(place, "early", operation="unit", occurred_at=clock.now() + timedelta(minutes=6))
    on_hold = consumption(place, "run", operation="unit", hold_id=ended)
    for item, code in ((early, "impossible_value"), (on_hold, "hold_released")):
        told = paused_at("credits.after_statement", lambda item=item: ask(place, item), lambda: None)  # type: ignore[misc]
        assert told == ask(place, item) == code
        assert not IdempotencyRecord.objects.filter(key=item.key).exists()
    assert_sound()


def test_an_unknown_hold_is_told_at_each_repetition() -> None:
    """No decision, but a record that is not there: such a refusal is not kept (spec 09, 404)."""
    place = ready_place()
    item = consumption(place, "run", operation="unit", hold_id=uuid.uuid4())
    for _ in range(2):
        with pytest.raises(NotFoundError, match="There is no hold"):
            credits_consume(place.context, consumption=item)
        (result,) = credits_consume_batch(place.context, consumptions=[item])
        assert isinstance(result, NotFoundError)
    assert not IdempotencyRecord.objects.filter(key="run").exists()
    assert place.account.balance == 9 * MICRO
