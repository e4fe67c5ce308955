"""A process that is killed in a consumption, and the client that repeats its key (spec 11, P3): one charge each."""

from __future__ import annotations

import random
import time
from functools import partial

import pytest

from apps.core.amounts import MICRO
from apps.core.failpoints import Failpoint
from apps.core.idempotency import IdempotencyKeyInFlightError
from apps.credits.models import CreditEntry
from apps.credits.services import credits_consume
from tests.core.processes import dies_at, kill, started
from tests.credits.cast import Place, assert_sound, consumption, make_place
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.prove]

KILLS = size(small=10, full=200)
SEED = 5
PLACES: tuple[Failpoint, ...] = ("credits.before_statement", "credits.after_statement")


def repeated(place: Place, key: str) -> None:
    """What the client does: the same key until there is an answer."""
    for _ in range(1_000):
        try:
            credits_consume(place.context, consumption=consumption(place, key, operation="unit"))
        except IdempotencyKeyInFlightError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError("the key stayed in flight")


def repeated_all(place: Place, keys: list[str]) -> None:
    for key in keys:
        repeated(place, key)


@pytest.mark.parametrize("name", PLACES)
def test_killed_at_each_named_place_the_key_is_charged_once(name: Failpoint) -> None:
    place = make_place(whole_credits=10)
    assert dies_at(
        name, lambda: credits_consume(place.context, consumption=consumption(place, "run", operation="unit"))
    )
    repeated(place, "run")
    assert place.account.balance == 9 * MICRO
    assert CreditEntry.objects.filter(idempotency_key="run").count() == 1
    assert_sound()


def test_killed_at_random_points_each_key_is_charged_once() -> None:
    chance = random.Random(SEED)  # noqa: S311 - it need not be secret, it must repeat
    place = make_place(whole_credits=100_000)
    keys = [f"{kill_number}-{number}" for kill_number in range(KILLS) for number in range(20)]
    for kill_number in range(KILLS):
        mine = keys[kill_number * 20 : kill_number * 20 + 20]
        process = started(partial(repeated_all, place, mine))
        time.sleep(chance.uniform(0.005, 0.08))
        kill(process)
    for key in keys:
        repeated(place, key)
    charges = CreditEntry.objects.filter(kind="consumption")
    assert charges.count() == charges.values("idempotency_key").distinct().count() == len(keys)
    assert place.account.balance == (100_000 - len(keys)) * MICRO
    assert_sound()
    print(f"consume: {KILLS} kills, seed {SEED}, {len(keys)} keys, one charge each")
