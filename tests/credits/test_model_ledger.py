"""Random lives of an account against a small pure model, compared after each step by grant and by charge (spec 05)."""

from __future__ import annotations

import os
import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine

from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.moments import zone_of
from apps.credits.enums import OnInsufficient
from apps.credits.models import FreeQuantity, GrantBurn, UncoveredCharge
from apps.credits.services import (
    account_apply_due,
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
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.credits.ledger_model import Model, ModelHold
from tests.credits.ledger_mutants import MUTANTS
from tests.sizes import size

pytestmark = pytest.mark.django_db
LIVES = size(small=4, full=10_000)
# Another range of lives: COUNTINGHOUSE_FIRST_SEED=1000 make prove.
FIRST_SEED = int(os.environ.get("COUNTINGHOUSE_FIRST_SEED", "0"))
STEPS = 40
LATEST = 500
# A month ends within each life, at another moment in each zone.
START = datetime(2031, 5, 31, 6, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu")


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


def shown_by_product(place: Place) -> dict[str, object]:
    """The account, what is left by grant, and who paid how much of each charge."""
    account = place.account
    paid: dict[str, dict[str, int]] = defaultdict(dict)
    for burn in (
        GrantBurn.objects.filter(grant__account=account, amount__gt=0).exclude(entry__kind="expiry").order_by("pk")
    ):
        payers, grant_id = paid[str(burn.entry_id)], str(burn.grant_id)
        payers[grant_id] = payers.get(grant_id, 0) + burn.amount
    unpaid = UncoveredCharge.objects.filter(account=account, amount_left__gt=0).values_list("entry_id", "amount_left")
    return {
        "balance": account.balance,
        "held": account.held,
        "left": {str(pk): left for pk, left in account.grants.values_list("pk", "remaining")},
        "paid": dict(paid),
        "unpaid": {str(pk): left for pk, left in unpaid},
        "entries": account.entries.count(),
        "free": dict(FreeQuantity.objects.filter(account=account, used__gt=0).values_list("month", "used")),
    }


_AT_ONCE = ("balance", "held", "entries", "free")


def disagreement(seed: int, model: Model) -> str | None:
    """Live the life of the seed with the model; where they first disagree, or None."""
    place = make_place(f"red-{seed}")
    OrganizationPaymentConfig.objects.filter(organization=place.organization).update(subscription_status="subscribed")
    life = Life(place, model, random.Random(seed))  # noqa: S311 - it need not be secret, it must repeat
    zone = life.chance.choice(ZONES)
    model.zone = zone_of(zone)
    Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone)
    for number in range(STEPS):
        life.now += timedelta(minutes=life.chance.randint(1, 40))
        with time_machine.travel(life.now, tick=False):
            model.settle(life.now)
            verb = life.chance.choice(VERBS)
            try:
                verb(life)
            except AssertionError as error:
                return f"seed {seed}, step {number}: {verb.__name__}: {error}"
            # What was charged burns its grants when somebody looks: here now and then, so that many burn at once.
            is_looked_at = number % 3 == 0 or number == STEPS - 1
            next_due_at = place.account.next_due_at
            if is_looked_at or (next_due_at is not None and next_due_at <= life.now):
                account_apply_due(place.context, account_id=place.organization.pk)
        product, expected = shown_by_product(place), model.shown()
        if not is_looked_at:
            product, expected = ({name: side[name] for name in _AT_ONCE} for side in (product, expected))
        if product != expected:
            wrong = [name for name in product if product[name] != expected[name]]
            return f"seed {seed}, step {number}: {verb.__name__}: {wrong}"
        if number % 5 == 0:
            assert_sound()
    assert_sound()
    return None


@pytest.fixture(autouse=True)
def _the_policy_is_in_force() -> Iterator[None]:
    """Policies are published before the lives begin."""
    with time_machine.travel(START - timedelta(days=1)):
        yield


@pytest.mark.prove(
    "the ledger agrees with a pure model after each step, by grant and by charge",
    size=LIVES,
    control="each of eight mutated models is caught",
)
def test_random_lives_go_as_the_model_says() -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + LIVES):
        assert disagreement(seed, Model()) is None
        print(f"ledger model: seed {seed}, {STEPS} steps agree")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_control_a_mutated_model_is_caught(mutant: type[Model]) -> None:
    found = (disagreement(seed, mutant()) for seed in range(20))
    assert any(found)
