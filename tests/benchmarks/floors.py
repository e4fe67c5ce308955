"""The floors: pgbench with the product's very statement, and COPY into a twin of the ledger."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid
from pathlib import Path

import psycopg
from django.db import connection

from apps.core import clock
from apps.credits.contracts import scope_of
from apps.credits.selectors.policies import remembered_terms
from apps.credits.services import credits_consume
from apps.credits.services.consumption import CONSUME, common_of, hash_of, item_of, json_text, price_of
from billing_site.launcher import places, programs
from tests.benchmarks.world import World, id_of

_TPS = re.compile(r"tps = ([0-9.]+)")
_COLUMNS = (
    "id, account_id, sequence, kind, amount, balance_after, product_id, operation, quantity, free_quantity, outcome, "
    "category, is_billable, is_late, run_id, policy_version, idempotency_key, reason, actor_label, request_id, "
    "occurred_at, recorded_at"
)


def script_make(world: World, path: Path, *, hot: bool) -> Path:
    """A pgbench script: what one consumption sends, with an organization and a key of its own."""
    # The policy is remembered from here on; without it the statement would turn back before it charged anything.
    credits_consume(world.context, consumption=world.consumption(0))
    values = json.loads(json_text(parameters_of(world)))
    marks = {"key": "k%2$s", "lock": "%3$s"}
    marks |= {name: "%1$s" + str(values[name])[8:] for name in ("account_id", "user_id", "workspace_id")}
    # A colon before a digit or letter would be a variable of pgbench's; nothing else in the statement has one.
    template = json.dumps({**values, **marks}).replace("'", "''")
    template = re.sub(r"(\d\d):(\d\d):(\d\d)", r"\1\2\3", template).replace("+00:00", "Z")
    template = template.replace(f"product:{values['product']}", f"bench of {values['product']}")
    number = "lpad((:org)::text, 8, '0')"
    filled = f"format('{template}', {number}, gen_random_uuid()::text, (:lock)::text)"
    lines = [
        f"\\set org {'0' if hot else f'random(0, {world.size - 1})'}",
        "\\set lock random(1, 9000000000000000000)",
        CONSUME.replace("$1", filled).replace("\n", " ") + ";",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _check_that_it_charges(lines[-1])
    return path


def parameters_of(world: World) -> dict[str, object]:
    """What the product sends with the statement."""
    context, item, now = world.context, world.consumption(0), clock.now()
    terms = remembered_terms(context.product_id) if context.product_id else None
    return {
        **common_of(context, now),
        **item_of(scope_of(context), item, hash_of(item), now),
        **price_of(item, terms, now, None),
    }


def _check_that_it_charges(line: str) -> None:
    """A floor that is refused would be quick, and no floor."""
    with connection.cursor() as cursor:
        cursor.execute(line.rstrip(";").replace(":org", "0").replace(":lock", "1"))
        outcome = cursor.fetchone()[0]
    if outcome != "charged":
        raise RuntimeError(f"The statement of pgbench's script answered {outcome!r}.")


def pgbench_rate(script: Path, seconds: int, clients: int) -> float:
    """Transactions a second, statements prepared."""
    settings = connection.get_connection_params()
    command: list[str | Path] = [
        programs.postgres_programs() / "pgbench",
        *("-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds), "-f", str(script)),
        *("-h", str(settings.get("host", places.postgres_socket_folder())), "-U", str(settings.get("user", ""))),
        str(settings["dbname"]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = _TPS.search(done.stdout)
    if done.returncode or found is None:
        raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(found[1])


def twin_make() -> None:
    """A table like the ledger, with its checks, indexes and the reference to the account."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_twin")
        cursor.execute("CREATE TABLE bench_twin (LIKE credits_creditentry INCLUDING ALL)")
        cursor.execute("ALTER TABLE bench_twin ADD FOREIGN KEY (account_id) REFERENCES credits_creditaccount")


def copy_rate(world: World, seconds: float, size: int) -> float:
    """Rows a second by COPY, so many in each transaction."""
    connection.ensure_connection()
    raw = connection.connection
    rows, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        text = "".join(_row(world, rows + place) for place in range(size))
        with psycopg.Cursor(raw) as cursor, cursor.copy(f"COPY bench_twin ({_COLUMNS}) FROM STDIN") as copy:
            copy.write(text)
        rows += size
    return rows / (time.perf_counter() - started)


def _row(world: World, number: int) -> str:
    account, at = id_of("8", number % world.size), "2026-11-21T10:00:00Z"
    parts = (uuid.uuid4(), account, time.time_ns(), "consumption", -1000, 5, world.context.product_id, "fix_run")
    rest = (1_000_000, 0, "succeeded", "regular", "t", "f", f"run-{number}", 1, f"k{number}", "", "bench", "r", at, at)
    return "\t".join(map(str, (*parts, *rest))) + "\n"
