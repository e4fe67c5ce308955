"""Workers of the outbox are killed without warning: nothing is lost, nothing is doubled (spec 11, P3)."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from apps.core.failpoints import FAILPOINTS, Failpoint
from apps.core.models import OutboxItem
from apps.core.outbox import outbox_drain
from tests.contexts import console_context
from tests.core.outbox import KIND, LOOSE_KIND, FakeProvider, effects, enqueue, make_due
from tests.core.processes import dies_at, kill, started
from tests.sizes import size

pytestmark = pytest.mark.usefixtures("wakeups")

KILLS = size(small=10, full=200)
ITEMS = size(small=150, full=3_000)
SHORT_LEASE = timedelta(seconds=0.3)
SEED = 31
PLACES = [place for place in FAILPOINTS if place.startswith("outbox.")]


def drain_for_ever() -> None:
    while True:
        outbox_drain(console_context(), limit=ITEMS, lease=SHORT_LEASE)
        time.sleep(0.01)


def calls(provider: FakeProvider) -> Counter[str]:
    return Counter(line.split()[1] for line in Path(provider.log).read_text(encoding="ascii").splitlines())


@pytest.fixture
def logging_provider(provider: FakeProvider, tmp_path: Path) -> FakeProvider:
    """A provider that keeps its calls in a file, where a killed process's calls stay visible."""
    provider.log = str(tmp_path / "calls")
    Path(provider.log).touch()
    return provider


@pytest.mark.prove(
    "P3 kill -9 at random points: nothing lost, nothing doubled",
    size=KILLS,
    control="an effect apart from its row is doubled",
)
def test_killed_at_random_points_nothing_is_lost_or_doubled(logging_provider: FakeProvider) -> None:
    chance = random.Random(SEED)  # noqa: S311 - it need not be secret, it must repeat
    keys = sorted(enqueue().key for _ in range(ITEMS))
    for _ in range(KILLS):
        process = started(drain_for_ever)
        time.sleep(chance.uniform(0.01, 0.1))
        kill(process)
    survivor = started(drain_for_ever)
    try:
        wait_until_all_done()
    finally:
        kill(survivor)
    assert effects() == keys
    assert set(calls(logging_provider)) == set(keys)
    print(
        f"outbox: {KILLS} kills, seed {SEED}, {ITEMS} items, {calls(logging_provider).total() - ITEMS} calls repeated"
    )


def wait_until_all_done() -> None:
    for _ in range(6_000):
        if not OutboxItem.objects.exclude(status="done").exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"Left over: {list(OutboxItem.objects.exclude(status='done').values('status', 'last_error'))}")


@pytest.mark.prove
@pytest.mark.parametrize("place", PLACES)
def test_killed_at_each_named_place_nothing_is_lost_or_doubled(
    logging_provider: FakeProvider, place: Failpoint
) -> None:
    key = enqueue().key
    assert dies_at(place, lambda: outbox_drain(console_context()))
    make_due()
    outbox_drain(console_context())
    assert OutboxItem.objects.get().status == "done"
    assert effects() == [key]
    assert 1 <= calls(logging_provider)[key] <= 2


def test_control_an_effect_apart_from_its_item_is_doubled(logging_provider: FakeProvider) -> None:
    """A handler that writes its effect by itself, killed after that: the tests above must be able to notice."""
    doubled = enqueue(kind=LOOSE_KIND).key
    single = enqueue(kind=KIND).key
    for _ in range(2):
        assert dies_at("outbox.after_deliver", lambda: outbox_drain(console_context()))
    make_due()
    outbox_drain(console_context())
    assert Counter(effects()) == {doubled: 2, single: 1}
