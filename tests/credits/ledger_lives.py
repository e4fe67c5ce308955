"""The steps of a random life: each is sent to the product and told to the model, and what both say is compared."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.credits.enums import OnInsufficient
from apps.credits.services import (
    credit_adjust,
    credits_authorize,
    credits_consume,
    credits_consume_batch,
    entry_reverse,
    hold_capture,
    hold_extend,
    hold_release,
    overdraft_set,
)
from apps.credits.services.holds import CaptureParams
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give
from tests.credits.ledger_model import Model, ModelHold

LATEST = 500
# A month ends within each life, at another moment in each zone.
START = datetime(2031, 5, 31, 6, tzinfo=UTC)


@dataclass(slots=True)
class Life:
    """One account's life: the product's records, the model's, and the chance that drives both."""

    place: Place
    model: Model
    chance: random.Random
    now: datetime = START
    adjustments: set[str] = field(default_factory=set)
    requests: list[tuple[Callable[[], Answer], Answer | CountinghouseError]] = field(default_factory=list)

    def key(self) -> str:
        return uuid.UUID(int=self.chance.getrandbits(128)).hex

    def amount(self) -> int:
        """Up to thirty credits, most with a fraction."""
        return self.chance.choice([self.chance.randint(1, 30 * MICRO), self.chance.randint(1, 30) * MICRO])

    def send(self, request: Callable[[], Answer]) -> Answer | None:
        """Send it; keep it, so that it is sent again later with its key. None where it was refused."""
        result = outcome_of(request)
        self.requests.append((request, result))
        if isinstance(result, Answer):
            return result
        assert result.problem_code == "insufficient_credits", result
        return None


def outcome_of(request: Callable[[], Answer]) -> Answer | CountinghouseError:
    """The answer, or the refusal."""
    try:
        return request()
    except CountinghouseError as refusal:
        return refusal


def grant(life: Life) -> None:
    amount, priority = life.amount(), life.chance.choice([1, 100, 100, 200])
    ends = life.chance.choice([None, life.now + timedelta(minutes=life.chance.randint(1, LATEST))])
    name = give(life.place, amount, priority=priority, expires_at=ends)
    life.model.grant(str(name), amount, priority, ends)
    life.model.settle(life.now)


def consume(life: Life) -> None:
    amount, is_recorded = life.amount(), life.chance.random() < 0.2
    rule = OnInsufficient.RECORD if is_recorded else OnInsufficient.REJECT
    item = consumption(life.place, life.key(), operation="unit", quantity=amount, on_insufficient=rule)
    is_affordable = amount <= life.model.available
    answer = life.send(lambda: credits_consume(life.place.context, consumption=item))
    assert (answer is not None) == (is_affordable or is_recorded)
    if answer is not None:
        life.model.charge(str(answer.body["entry_id"]), amount)


def consume_free(life: Life) -> None:
    """A hundred files a month are free; the rest costs. Some news come late, perhaps of the month before."""
    quantity = life.chance.randint(1, 60 * MICRO)
    at = life.now - timedelta(minutes=life.chance.choice([0, 0, life.chance.randint(1, 600)]))
    left = life.model.free_left(at)
    price = life.model.price(quantity, left)
    item = consumption(life.place, life.key(), operation="scan", quantity=quantity, occurred_at=at)
    answer = life.send(lambda: credits_consume(life.place.context, consumption=item))
    assert (answer is not None) == (price == 0 or price <= life.model.available)
    if answer is not None:
        life.model.charge(str(answer.body["entry_id"]), price, min(quantity, left), at)


def consume_batch(life: Life) -> None:
    items = [
        consumption(life.place, life.key(), operation="unit", quantity=life.amount() // 3 + 1)
        for _ in range(life.chance.randint(1, 4))
    ]
    results = credits_consume_batch(life.place.context, consumptions=items)
    for item, result in zip(items, results, strict=True):
        amount = item.question.quantity
        assert isinstance(result, Answer) == (amount <= life.model.available)
        if isinstance(result, Answer):
            life.model.charge(str(result.body["entry_id"]), amount)
    again = credits_consume_batch(life.place.context, consumptions=items)
    assert [_shown(result) for result in again] == [_shown(result) for result in results]


def _shown(result: Answer | CountinghouseError) -> object:
    return result.body if isinstance(result, Answer) else result.detail


def hold(life: Life) -> None:
    amount, ttl = life.amount(), timedelta(minutes=life.chance.randint(1, 200))
    question = consumption(life.place, operation="unit", quantity=amount).question
    opened: Any = credits_authorize(life.place.context, question=question, hold_ttl=ttl, key=life.key())
    assert (opened["decision"] == "allow") == (amount <= life.model.available)
    if opened["hold"]:
        life.model.open_hold(opened["hold"]["id"], ModelHold(amount, life.now + ttl))


def hold_free(life: Life) -> None:
    """A hold that counts on free files reserves them."""
    quantity, ttl = life.chance.randint(1, 60 * MICRO), timedelta(minutes=life.chance.randint(1, 200))
    left, month = life.model.free_left(life.now), life.model.month(life.now)
    price = life.model.price(quantity, left)
    question = consumption(life.place, operation="scan", quantity=quantity).question
    opened: Any = credits_authorize(life.place.context, question=question, hold_ttl=ttl, key=life.key())
    assert (opened["decision"] == "allow") == (price == 0 or price <= life.model.available)
    if opened["hold"]:
        assert opened["hold"]["amount"] == price
        held = ModelHold(price, life.now + ttl, "scan", quantity, min(quantity, left), month)
        life.model.open_hold(opened["hold"]["id"], held)


def extend_hold(life: Life) -> None:
    if not life.model.holds:
        return
    name, key = life.chance.choice(list(life.model.holds)), life.key()
    before, ttl = life.model.holds[name], timedelta(minutes=life.chance.randint(1, 200))
    life.send(lambda: hold_extend(life.place.context, hold_id=uuid.UUID(name), key=key, ttl=ttl))
    life.model.holds[name] = replace(before, ends=max(before.ends, life.now + ttl))


def end_hold(life: Life) -> None:
    if not life.model.holds:
        return
    name = life.chance.choice(list(life.model.holds))
    held, key = life.model.end_hold(name), life.key()
    if life.chance.random() < 0.4:
        life.send(lambda: hold_release(life.place.context, hold_id=uuid.UUID(name), key=key))
    else:
        used, free, wish = _used_of(life, held)
        answer = life.send(lambda: hold_capture(life.place.context, hold_id=uuid.UUID(name), key=key, params=wish))
        assert answer is not None
        month = datetime.combine(held.month, time(12), life.model.zone) if held.month else None
        life.model.charge(str(answer.body["entry_id"]), used, free, month)
    life.model.settle(life.now)


def _used_of(life: Life, held: ModelHold) -> tuple[int, int, CaptureParams]:
    """What a capture charges, how much of it is free, and how it is asked for."""
    if held.month is None:
        used = life.chance.randint(1, held.amount)
        return used, 0, CaptureParams("succeeded", amount=used)
    quantity = life.chance.randint(1, held.quantity)
    left = life.model.free_left(datetime.combine(held.month, time(12), life.model.zone))
    return life.model.price(quantity, left), min(quantity, left), CaptureParams("succeeded", quantity=quantity)


def consume_hold(life: Life) -> None:
    """A consumption that ends its hold; the rest of the hold is free again."""
    if not life.model.holds:
        return
    name = life.chance.choice(list(life.model.holds))
    before = life.model.holds[name]
    held = life.model.end_hold(name)
    if held.month is None:
        quantity = price = life.chance.randint(1, held.amount)
        free = 0
    else:
        quantity, left = life.chance.randint(1, held.quantity), life.model.free_left(life.now)
        price, free = life.model.price(quantity, left), min(quantity, left)
    operation, hold_id = held.operation, uuid.UUID(name)
    item = consumption(life.place, life.key(), operation=operation, quantity=quantity, hold_id=hold_id)
    answer = life.send(lambda: credits_consume(life.place.context, consumption=item))
    assert (answer is not None) == (price <= held.amount or price <= life.model.available)
    if answer is None:
        life.model.open_hold(name, before)
        return
    life.model.charge(str(answer.body["entry_id"]), price, free, life.now)
    life.model.settle(life.now)


def reverse(life: Life) -> None:
    """Give a charge back, most often in part and again; adjustments are charges too, and so is what only was free."""
    names = [name for name, charge in life.model.charges.items() if charge.left or charge.free]
    if not names:
        return
    name, key = life.chance.choice(names), life.key()
    whole = life.model.charges[name].left
    parts = [None, life.chance.randint(1, whole), life.chance.randint(1, whole)] if whole else [None]
    amount, entry = life.chance.choice(parts), uuid.UUID(name)
    context = console_context() if name in life.adjustments else life.place.context
    answer = life.send(lambda: entry_reverse(context, entry_id=entry, key=key, reason="model", amount=amount))
    assert answer is not None
    got, free = life.model.reverse(name, whole if amount is None else amount)
    lost = life.model.settle(life.now)
    lapsed = sum(min(back, lost.get(payer, 0)) for payer, back in got.items())
    told = [answer.body[field] for field in ("lapsed", "free_quantity_returned", "remaining")]
    assert told == [lapsed, free, life.model.charges[name].left]


def adjust(life: Life) -> None:
    amount, key, account = life.amount(), life.key(), life.place.organization.pk
    is_affordable = amount <= life.model.available
    answer = life.send(
        lambda: credit_adjust(console_context(), account_id=account, key=key, amount=amount, reason="model")
    )
    assert (answer is not None) == is_affordable
    if answer is not None:
        life.adjustments.add(str(answer.body["entry_id"]))
        life.model.charge(str(answer.body["entry_id"]), amount)


def overdraft(life: Life) -> None:
    life.model.overdraft = life.chance.choice([0, 0, 20 * MICRO + 7])
    overdraft_set(console_context(), account_id=life.place.organization.pk, limit=life.model.overdraft, reason="model")


def repeat(life: Life) -> None:
    """An earlier request once more: the same answer, refusals too, and nothing moves."""
    if not life.requests:
        return
    request, before = life.chance.choice(life.requests)
    again = outcome_of(request)
    assert _shown(again) == _shown(before)
    assert not isinstance(again, Answer) or again.replayed


VERBS: tuple[Callable[[Life], None], ...] = (grant, grant, consume, consume, consume, consume_free, consume_batch)
VERBS += (consume_free, hold, hold_free, hold_free, extend_hold, end_hold, end_hold, consume_hold)
VERBS += (reverse, reverse, reverse, adjust, overdraft, repeat)
