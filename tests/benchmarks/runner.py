"""The run itself: makes the world, starts the servers, measures in rounds, prints the table."""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connection

django.setup()

from apps.credits.services import credits_consume  # noqa: E402 - the applications come first
from billing_site.launcher import places  # noqa: E402
from tests.benchmarks import floors, load, peers, storage, sync_speed, webhooks  # noqa: E402
from tests.benchmarks import world as worlds  # noqa: E402
from tests.benchmarks.servers import Server, serving  # noqa: E402
from tests.benchmarks.table import print_table, print_weights  # noqa: E402
from tests.benchmarks.turns import CONNECTIONS, rate  # noqa: E402

BATCH = 1_000
KEPT = "consume, rollups kept"


@dataclass(slots=True)
class Figures:
    """What each side reached in each round."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.rates.setdefault(name, []).append(value)

    def of(self, name: str) -> float | None:
        """The median; None where the side was not measured."""
        values = self.rates.get(name)
        return statistics.median(values) if values else None


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    organizations: int = 1_000
    rounds: int = 3
    seconds: float = 2.0
    warm_up: float = 1.0
    records: int = 20_000
    consumptions: int = 20_000
    with_peers: bool = True
    empties_database: bool = True
    # How many times as long a side beside the worker takes, which keeps the rollups once a minute (spec 08, Celery).
    longer: int = 30


QUICK = Size(
    organizations=5,
    rounds=1,
    seconds=0.2,
    warm_up=0.2,
    records=500,
    consumptions=100,
    with_peers=False,
    empties_database=False,
    longer=5,
)


def main(size: Size) -> int:
    """Measure everything once."""
    folder = places.make_state_folder()
    _make_database(empties=size.empties_database)
    say(f"Making {size.organizations} organizations.")
    world = worlds.world_make(size.organizations)
    floors.twin_make()
    figures = Figures()
    say(f"Weighing {size.consumptions} consumptions.")
    weighed = storage.weigh(world, size.consumptions)
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(application, settings, folder / f"{name}.log"))
            for name, application, settings in (
                ("bare", "tests.benchmarks.bare_rsgi:application", "tests.benchmarks.bare"),
                ("naive", "tests.benchmarks.bare_rsgi:application", "tests.benchmarks.naive_settings"),
                ("product", "billing_site.rsgi:application", "billing_site.settings"),
            )
        }
        sides = _sides(world, servers, folder, size, figures)
        if size.with_peers:
            hordak = stack.enter_context(peers.peer_running("hordak", folder / "hordak.log", size=size.organizations))
            sides["hordak transfer, in process"] = lambda seconds: hordak.rate("transfer", seconds)
            sides["hordak transfer, one at a time"] = lambda seconds: hordak.rate("transfer", seconds, 1)
            stripe = stack.enter_context(peers.peer_running("djstripe", folder / "djstripe.log"))
            sides |= webhooks.sides(stripe, figures.add)
        pause = size.longer * size.seconds * 5 / 6
        keeper = stack.enter_context(peers.keeper_running(folder / "rollups.log", seconds=pause))
        alone = sides[KEPT]
        sides[KEPT] = lambda seconds: _beside(keeper, alone, size.longer * seconds)
        sides |= sync_speed.sides(size.records, figures.add)
        _measure(sides, size, figures)
    missed = print_table(figures.of)
    return print_weights(weighed) or missed


def _measure(sides: dict[str, Callable[[float], float]], size: Size, figures: Figures) -> None:
    say(f"Measuring {len(sides)} sides in {size.rounds} rounds of {size.seconds} s.")
    for side in sides.values():
        side(size.warm_up)
    figures.rates.clear()
    for _ in range(size.rounds):
        for name in random.sample(list(sides), len(sides)):
            figures.add(name, sides[name](size.seconds))


def _beside(keeper: peers.Peer, side: Callable[[float], float], seconds: float) -> float:
    """What the side reaches while the keeper keeps the rollups."""
    with ThreadPoolExecutor(1) as executor:
        kept = executor.submit(keeper.rate, "keep", seconds, 1)
        reached = side(seconds)
        kept.result()
    return reached


def _sides(
    world: worlds.World, servers: dict[str, Server], folder: Path, size: Size, figures: Figures
) -> dict[str, Callable[[float], float]]:
    spread = floors.script_make(world, folder / "spread.sql", hot=False)
    hot = floors.script_make(world, folder / "hot.sql", hot=True)
    bare = load.request_bytes("/bare", b"", method="GET")

    def http(name: str, server: str, make: Callable[[], bytes], status: int) -> Callable[[float], float]:
        def measure(seconds: float) -> float:
            before = servers[server].cpu_seconds()
            done = load.run(servers[server].port, seconds, CONNECTIONS, make).only(status)
            figures.add(
                f"cpu {name}", (servers[server].cpu_seconds() - before) / max(1, sum(done.statuses.values())) * 1e6
            )
            return done.rate

        return measure

    def consume() -> None:
        credits_consume(world.context, consumption=world.consumption())

    def batch(seconds: float, repeated: int = 0) -> float:
        port, make = servers["product"].port, lambda: world.batch(BATCH, repeated=repeated)
        return load.run(port, seconds, 4, make, to_the_end=True).only(200).rate * BATCH

    return {
        "bare": http("bare", "bare", lambda: bare, 200),
        "consume": http("consume", "product", world.consume, 201),
        KEPT: http(KEPT, "product", world.consume, 201),
        "authorize": http("authorize", "product", world.authorize, 200),
        "hot consume": http("hot consume", "product", lambda: world.consume(0), 201),
        "naive": http("naive", "naive", lambda: world.consume(path="/naive"), 201),
        "batch": batch,
        "batch, replays": lambda seconds: batch(seconds, BATCH // 10),
        "copy": lambda seconds: floors.copy_rate(world, seconds, BATCH),
        "pgbench": lambda seconds: floors.pgbench_rate(spread, max(1, round(seconds)), CONNECTIONS),
        "pgbench hot": lambda seconds: floors.pgbench_rate(hot, max(1, round(seconds)), CONNECTIONS),
        "consume, in process": lambda seconds: rate(consume, seconds),
        "consume, one at a time": lambda seconds: rate(consume, seconds, 1),
    }


def _make_database(*, empties: bool) -> None:
    if empties:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
    call_command("migrate", verbosity=0, interactive=False)


def say(sentence: str) -> None:
    """Tell the person at the console."""
    print(f"[bench] {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main(QUICK if "--quick" in sys.argv else Size()))
