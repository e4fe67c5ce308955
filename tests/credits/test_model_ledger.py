"""Random lives of an account against a small pure model: grants, holds, captures, expiry, reversals, consumes."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import CountinghouseError
from apps.credits.models import CreditGrant
from apps.credits.services import (
    account_settle,
    credits_authorize,
    credits_consume,
    entry_reverse,
    hold_capture,
    hold_release,
)
from apps.credits.services.holds import CaptureWish
from tests.credits.cast import Place, assert_sound, consumption, give, make_place
from tests.sizes import size

pytestmark = pytest.mark.django_db
LIVES = size(small=5, full=100)
STEPS = 40


class Model:
    """Whole credits in grants that end; what is held; nothing else."""

    def __init__(self) -> None:
        self.grants: list[list[Any]] = []  # expires_at or None, left, in the order of their making
        self.holds: dict[str, tuple[int, datetime]] = {}
        self.charges: dict[str, list[tuple[int, int]]] = {}  # entry id -> (grant, amount), in burn order

    @property
    def balance(self) -> int:
        return sum(left for _, left in self.grants)

    @property
    def held(self) -> int:
        return sum(amount for amount, _ in self.holds.values())

    def settle(self, now: datetime) -> None:
        self.holds = {key: hold for key, hold in self.holds.items() if hold[1] > now}
        for grant in sorted((g for g in self.grants if g[0] and g[0] <= now), key=lambda grant: grant[0]):
            grant[1] -= min(grant[1], max(self.balance - self.held, 0))

    def burn(self, entry: str, amount: int) -> None:
        order = sorted(range(len(self.grants)), key=lambda n: (self.grants[n][0] is None, self.grants[n][0] or 0, n))
        self.charges[entry] = []
        for number in order:
            taken = min(amount, self.grants[number][1])
            if taken:
                self.grants[number][1] -= taken
                self.charges[entry].append((number, taken))
                amount -= taken

    def reverse(self, entry: str, amount: int) -> None:
        for number, paid in reversed(self.charges.pop(entry)):
            self.grants[number][1] += min(amount, paid)
            amount -= min(amount, paid)


def step(place: Place, model: Model, chance: random.Random, now: datetime) -> str:
    verb = chance.choice(["grant", "consume", "consume", "hold", "capture", "release", "reverse"])
    amount, key = chance.randint(1, 30), uuid.UUID(int=chance.getrandbits(128)).hex
    if verb == "grant":
        ends = chance.choice([None, now + timedelta(minutes=chance.randint(1, 400))])
        give(place, amount * MICRO, expires_at=ends)
        model.grants.append([ends, amount])
    elif verb == "consume":
        consume(place, model, amount, key)
    elif verb == "hold":
        hold_open(place, model, amount, (timedelta(minutes=chance.randint(1, 200)), now))
    elif model.holds and verb in {"capture", "release"}:
        end(place, model, verb, chance, key)
        model.settle(now)
    elif model.charges and verb == "reverse":
        reverse(place, model, chance, key)
        model.settle(now)
    return verb


def consume(place: Place, model: Model, amount: int, key: str) -> None:
    item = consumption(place, key, operation="unit", quantity=amount * MICRO)
    if amount <= model.balance - model.held:
        answer = credits_consume(place.context, consumption=item)
        model.burn(str(answer.body["entry_id"]), amount)
        return
    with pytest.raises(CountinghouseError) as refused:
        credits_consume(place.context, consumption=item)
    assert refused.value.problem_code == "insufficient_credits"


def hold_open(place: Place, model: Model, amount: int, lasting: tuple[timedelta, datetime]) -> None:
    ttl, now = lasting
    question = consumption(place, operation="unit", quantity=amount * MICRO).question
    opened: Any = credits_authorize(place.context, question=question, hold_ttl=ttl)
    assert (opened["decision"] == "allow") == (amount <= model.balance - model.held)
    if opened["hold"]:
        model.holds[opened["hold"]["id"]] = (amount, now + ttl)


def reverse(place: Place, model: Model, chance: random.Random, key: str) -> None:
    entry = chance.choice(sorted(model.charges))
    given = chance.randint(1, sum(paid for _, paid in model.charges[entry]))
    entry_reverse(place.context, entry_id=uuid.UUID(entry), key=key, reason="model", amount=given * MICRO)
    model.reverse(entry, given)


def end(place: Place, model: Model, verb: str, chance: random.Random, key: str) -> None:
    hold = chance.choice(sorted(model.holds))
    amount, _ = model.holds.pop(hold)
    if verb == "release":
        hold_release(place.context, hold_id=uuid.UUID(hold), key=key)
        return
    used = chance.randint(1, amount)
    wish = CaptureWish("succeeded", amount=used * MICRO)
    answer = hold_capture(place.context, hold_id=uuid.UUID(hold), key=key, wish=wish)
    model.burn(str(answer.body["entry_id"]), used)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(LIVES))
def test_a_random_life_goes_as_the_model_says(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - it need not be secret, it must repeat
    place, model = make_place(), Model()
    now = clock.now()
    for number in range(STEPS):
        now += timedelta(minutes=chance.randint(0, 40))
        with time_machine.travel(now, tick=False):
            model.settle(now)
            verb = step(place, model, chance, now)
            account_settle(place.context, account_id=place.organization.pk)
            account = place.account
        where = f"seed {seed}, step {number}: {verb}"
        assert (account.balance, account.held) == (model.balance * MICRO, model.held * MICRO), where
        left = CreditGrant.objects.order_by("created_at", "pk").values_list("remaining", flat=True)
        assert sorted(left) == sorted(grant[1] * MICRO for grant in model.grants), where
        assert_sound()
    print(f"ledger model: seed {seed}, {STEPS} steps agree")
