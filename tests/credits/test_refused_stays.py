"""P11 for credits: a refused request stays refused with its key, whatever has become affordable since (spec 11)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.credits.enums import GrantType
from apps.credits.models import CreditEntry
from apps.credits.services import (
    credit_grant,
    credits_authorize,
    credits_consume,
    credits_consume_batch,
    entry_reverse,
    hold_capture,
    hold_release,
)
from apps.credits.services.grants import GrantParams
from apps.credits.services.holds import CaptureParams
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.sizes import size

pytestmark = pytest.mark.django_db

REFUSALS = size(small=10, full=500)
SEED = 11
Request = Callable[[str], Answer | CountinghouseError]
# A request that is refused now, and what takes the reason away.
Case = tuple[Request, Callable[[], object]]


def told(request: Callable[[], Answer]) -> Answer | CountinghouseError:
    try:
        return request()
    except CountinghouseError as refusal:
        return refusal


def consume(place: Place) -> Case:
    quantity = (place.account.balance // MICRO + 1) * MICRO
    item = consumption(place, operation="unit", quantity=quantity)
    return _with_key(place, item.question.quantity), lambda: give(place, 10 * quantity)


def _with_key(place: Place, quantity: int) -> Request:
    def ask(key: str) -> Answer | CountinghouseError:
        item = consumption(place, key, operation="unit", quantity=quantity)
        return told(lambda: credits_consume(place.context, consumption=item))

    return ask


def batch_item(place: Place) -> Case:
    quantity = (place.account.balance // MICRO + 1) * MICRO

    def ask(key: str) -> Answer | CountinghouseError:
        item = consumption(place, key, operation="unit", quantity=quantity)
        sound = consumption(place, operation="unit", quantity=1)
        results = credits_consume_batch(place.context, consumptions=[sound, item, sound])
        assert isinstance(results[0], Answer)
        return results[1]

    return ask, lambda: give(place, 10 * quantity)


def capture(place: Place) -> Case:
    """More than is held and more than is there, until it is granted."""
    give(place, MICRO)
    question = consumption(place, operation="unit", quantity=MICRO).question
    opened = credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)
    hold = opened["hold"]
    assert isinstance(hold, dict)
    more = place.account.balance + 5 * MICRO
    wish = CaptureParams("succeeded", amount=more, allow_more=True)

    def ask(key: str) -> Answer | CountinghouseError:
        return told(lambda: hold_capture(place.context, hold_id=uuid.UUID(str(hold["id"])), key=key, params=wish))

    return ask, lambda: give(place, 10 * more)


CASES = (consume, batch_item, capture)


def seen(result: Answer | CountinghouseError) -> tuple[object, ...]:
    """All that the caller sees of a refusal."""
    assert isinstance(result, CountinghouseError), result
    return result.problem_code, result.kind, result.detail, result.errors, result.explanation, result.decision_id


@pytest.mark.prove(
    "P11 refused credits stay refused with their key: consume, batch item, capture",
    size=REFUSALS,
    control="the same request with a fresh key is carried out",
)
def test_what_was_refused_stays_refused_though_it_became_possible() -> None:
    chance = random.Random(SEED)  # noqa: S311 - it need not be secret, it must repeat
    place = make_place(whole_credits=1)
    for number in range(REFUSALS):
        ask, undo = chance.choice(CASES)(place)
        first = ask(f"run-{number}")
        undo()
        booked = CreditEntry.objects.filter(idempotency_key=f"run-{number}")
        with time_machine.travel(clock.now() + timedelta(seconds=chance.randint(0, 60))):
            assert seen(ask(f"run-{number}")) == seen(first)
        assert not booked.exists()
        _spend_all(place)
    assert_sound()


def _spend_all(place: Place) -> None:
    """Back to little, so that the next request is refused for want of credits too."""
    account = place.account
    free = account.balance - account.held
    if free > MICRO:
        item = consumption(place, operation="unit", quantity=free - MICRO)
        credits_consume(place.context, consumption=item)


@pytest.mark.parametrize("case", [consume, batch_item, capture])
def test_control_a_fresh_key_is_carried_out(case: Callable[[Place], Case]) -> None:
    """So the refusals above stay because of their key, not because they would be refused anyway."""
    place = make_place(whole_credits=1)
    ask, undo = case(place)
    assert isinstance(ask("run"), CountinghouseError)
    undo()
    assert isinstance(ask("run"), CountinghouseError)
    assert isinstance(ask("another"), Answer)
    assert_sound()


def test_what_can_be_mended_leaves_its_key_unused() -> None:
    """Refused as wrong, not as unaffordable: corrected, the request goes through with the same key (spec 05)."""
    place = make_place(whole_credits=10)
    context, now = place.context, clock.now()
    early = GrantParams(grant_type=GrantType.BONUS, amount=MICRO, expires_at=now - timedelta(days=1))
    whole = GrantParams(grant_type=GrantType.BONUS, amount=MICRO)
    question = consumption(place, operation="unit").question
    opened: Any = credits_authorize(context, question=question, hold_ttl=timedelta(hours=1), key="ends")
    hold_release(context, hold_id=uuid.UUID(opened["hold"]["id"]), key="end")
    charge = credits_consume(context, consumption=consumption(place, operation="unit", quantity=MICRO))
    entry = uuid.UUID(str(charge.body["entry_id"]))

    def give_back(amount: int) -> Answer:
        return entry_reverse(context, entry_id=entry, key="back", reason="a test", amount=amount)

    for code, wrong, right in (
        ("impossible_value", _granting(place, "grant", early), _granting(place, "grant", whole)),
        ("above_limit", lambda: give_back(2 * MICRO), lambda: give_back(MICRO)),
        ("unknown_outcome", _consuming(place, outcome="sucess"), _consuming(place)),
        ("unknown_operation", _consuming(place, "b", operation="unitt"), _consuming(place, "b")),
        ("too_old", _consuming(place, "c", occurred_at=now - timedelta(days=36)), _consuming(place, "c")),
        ("hold_released", _consuming(place, "d", hold_id=uuid.UUID(opened["hold"]["id"])), _consuming(place, "d")),
    ):
        before = CreditEntry.objects.count()
        refused = told(wrong)
        assert isinstance(refused, CountinghouseError)
        assert (refused.problem_code, CreditEntry.objects.count()) == (code, before)
        assert right().replayed is False
        assert CreditEntry.objects.count() == before + 1
    assert_sound()


def _granting(place: Place, key: str, params: GrantParams) -> Callable[[], Answer]:
    return lambda: credit_grant(place.context, key=key, account=place.ref, params=params)


def _consuming(place: Place, key: str = "a", **values: Any) -> Callable[[], Answer]:
    item = consumption(place, key, **{"operation": "unit", **values})
    return lambda: credits_consume(place.context, consumption=item)
