"""`make mutants`: puts one small fault after the other into rules, guards and SQL, and says which no test notices."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import sys
import time

os.environ["DJANGO_ENV"] = "test"

from billing_site.launcher import places, sessions
from tests.mutants.faults import SURVIVORS, all_faults, survivors_known
from tests.mutants.run import Run

TESTS = tuple(
    f"tests/{name}"
    for name in ("core", "tenants", "subscriptions", "credits", "connectors", "payments", "reporting", "backoffice")
)
# Imported once, before the children are made. None of it is the product's, or a plugin of pytest.
_FOREIGN = ("celery", "stripe", "authlib.oauth2", "pydantic", "requests", "django.db.models")


def report(run: Run, everything: set[tuple[str, str, str]], seconds: float) -> int:
    """Print the figure, the survivors and what is wrong with their list; 1 where something must be mended."""
    known = survivors_known()
    by_outcome = {
        name: [f for f, o in run.outcomes.items() if o == name] for name in ("killed", "survived", "impossible")
    }
    new = [fault for fault in by_outcome["survived"] if fault.key not in known]
    stale = [key for key in known if key not in everything]
    stale += [fault.key for fault in by_outcome["killed"] if fault.key in known]
    tried = len(by_outcome["killed"]) + len(by_outcome["survived"])
    left = len(run.faults) - tried - len(by_outcome["impossible"])
    print(
        f"\nmutants: {tried} tried, {len(by_outcome['killed'])} killed, {len(by_outcome['survived'])} survived "
        f"({len(by_outcome['survived']) - len(new)} listed), {left} left for want of time, {seconds:.0f} s"
    )
    for fault in new:
        print(f"survived  {fault}")
    broken = [fault for fault, outcome in run.outcomes.items() if outcome == "broken"]
    for fault in broken:
        print(f"could not be tried  {fault}")
    for key in stale:
        print(f"listed in {SURVIVORS.name}, but noticed now or gone: {' | '.join(key)}")
    return 1 if new or stale or broken else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, help="so many of the faults, chosen by the seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=57, help="how long to go on; the rest is counted as left")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files and folders; those of every app by default")
    parser.add_argument("--again", action="store_true", help="those alone that survived the last run")
    parser.add_argument(
        "only",
        nargs="*",
        help="paths below which faults are made, such as apps/credits/services (which nothing else tries)",
    )
    options = parser.parse_args()
    started = time.monotonic()
    faults = list(all_faults(options.only))
    everything = {fault.key for fault in all_faults([])}
    home = places.make_home(places.state_folder() / "mutants")
    last = home / "survivors.json"
    if options.again:
        if not last.exists():
            parser.error("There is no last run whose survivors could be tried. Leave --again out.")
        survived = {tuple(key) for key in json.loads(last.read_text(encoding="utf-8"))}
        faults = [fault for fault in faults if fault.key in survived]
    if options.sample:
        faults = random.Random(options.seed).sample(faults, min(options.sample, len(faults)))  # noqa: S311 - it must repeat
    for name in _FOREIGN:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with sessions.engines():
        run = Run(home, faults, options.minutes * 60)
        run.prepare(options.tests)
        print(f"{len(faults)} faults, {len(run.notes.lines)} tests, {time.monotonic() - started:.0f} s of preparation")
        run.try_all()
    left = [fault.key for fault, outcome in run.outcomes.items() if outcome not in {"killed", "impossible"}]
    last.write_text(json.dumps(left), encoding="utf-8")
    return report(run, everything, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
