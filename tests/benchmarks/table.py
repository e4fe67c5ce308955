"""The table of spec 11, Speed: ratio, what it must reach, the aim, what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.benchmarks.storage import DISK, WAL

ROWS: tuple[tuple[str, str, str, float, float], ...] = (
    ("consume / pgbench, same statement", "consume", "pgbench", 0.50, 0.75),
    ("authorize / bare Django view", "authorize", "bare", 0.30, 0.45),
    ("consume / naive DRF + ORM", "consume", "naive", 9, 20),
    ("hot organization / pgbench on one row", "hot consume", "pgbench hot", 0.75, 0.95),
    ("batch of 1,000 over HTTP / COPY into the twin", "batch", "copy", 0.40, 0.6),
    ("batch with 10 % replays / all new", "batch, replays", "batch", 0.8, 0.95),
    ("consume, rollups kept beside it / alone", "consume, rollups kept", "consume", 0.9, 1.0),
    ("sync records / COPY into the same table", "sync", "sync copy", 0.3, 0.5),
    ("consume / django-hordak transfer, in process", "consume, in process", "hordak transfer, in process", 3, 8),
    ("webhook accepted / dj-stripe, new", "webhook, new", "dj-stripe webhook, new", 4, 10),
    ("webhook accepted / dj-stripe, duplicate", "webhook, duplicate", "dj-stripe webhook, duplicate", 6, 10),
)
_SIDES = (
    *("bare", "authorize", "consume", "hot consume", "naive", "pgbench", "pgbench hot", "batch", "copy"),
    *("batch, replays", "consume, rollups kept", "sync", "sync copy"),
    *("consume, in process", "hordak transfer, in process", "consume, one at a time", "hordak transfer, one at a time"),
    *("webhook, new", "dj-stripe webhook, new", "webhook, duplicate", "dj-stripe webhook, duplicate"),
)
_STATEMENTS = "statements: consume, authorize, replay, refusal"
_CPU = "application CPU per consume / bare view"
_MOST_CPU = 3.5
_MOST_BYTES = {DISK: (700, 500), WAL: (1_200, 900)}


def print_table(of: Callable[[str], float | None]) -> int:
    """Print every ratio and every side; 1 where something does not reach what it must."""
    print(f"\n{'ratio':<48} {'must reach':>11} {'aim':>6} {'measured':>9}")
    missed = sum(_print_ratio(row, of(row[1]), of(row[2])) for row in ROWS)
    cpu, floor = of("cpu consume") or 0.0, of("cpu bare") or 1.0
    is_missed = cpu / floor > _MOST_CPU
    missed += is_missed
    print(f"{_CPU:<48} {f'at most {_MOST_CPU}':>11} {2.5:>6} {cpu / floor:>9.2f}{'  MISSED' if is_missed else ''}")
    missed += _print_rows(of("rows of a duplicate"), of("rows of a duplicate of dj-stripe"))
    print(f"{_STATEMENTS:<48} {'1, 1, 1, 2':>11} {'':>6} {'asserted':>9} by make test")
    for name in _SIDES:
        rate, used = of(name), of(f"cpu {name}")
        if rate is not None:
            print(f"  {name:<32} {rate:>10,.0f} a second" + (f"   {used:>7,.0f} µs CPU a request" if used else ""))
    return 1 if missed else 0


def print_weights(of: Mapping[str, float]) -> int:
    """Print the bytes of a consumption; 1 where they are more than they may be."""
    missed = 0
    for name, each in of.items():
        if name in _MOST_BYTES:
            most, aim = _MOST_BYTES[name]
            missed += each > most
            print(f"{name:<48} {f'at most {most:,}':>15} {aim:>6} {each:>9,.0f}{'  MISSED' if each > most else ''}")
        else:
            print(f"  {name:<46} {each:>32,.1f}")
    return 1 if missed else 0


def _print_ratio(row: tuple[str, str, str, float, float], over: float | None, under: float | None) -> int:
    """One ratio; 1 where it does not reach what it must, or where its floor did nothing in its time."""
    title, _, _, must, aim = row
    beginning = f"{title:<48} {must:>11} {aim:>6}"
    if over is None or under is None:
        print(f"{beginning} {'not run':>9}")
        return 0
    if not under:
        print(f"{beginning} {'too short':>9}  MISSED")
        return 1
    is_missed = over / under < must
    print(f"{beginning} {over / under:>9.2f}{'  MISSED' if is_missed else ''}")
    return int(is_missed)


def _print_rows(ours: float | None, theirs: float | None) -> int:
    """How many rows a duplicate webhook leaves; 1 where it leaves any here."""
    title = "rows that a duplicate webhook leaves"
    measured = "not run" if ours is None or theirs is None else f"{ours:g}"
    beside = "" if theirs is None else f"  (dj-stripe: {theirs:g})"
    print(f"{title:<48} {'0':>11} {'':>6} {measured:>9}{'  MISSED' if ours else ''}{beside}")
    return 1 if ours else 0
