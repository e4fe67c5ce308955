"""What looks at new entries reads these, and not the ledger that they are at the end of (spec 14, Years of data)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from apps.core import clock
from apps.credits.models import CreditEntry, EntrySeal
from apps.credits.selectors.seals import MARK, row_text, sealed_columns
from apps.credits.services import seals
from tests.credits.cast import Place, make_place
from tests.scale.rows import filling

pytestmark = pytest.mark.django_db(transaction=True)

# Some 1,000 pages: enough for the planner to prefer reading all of them to a third.
ENTRIES, NEW, FEW_BUFFERS = 40_000, 20, 300
_FILL = """
    INSERT INTO credits_creditentry (id, account_id, sequence, kind, amount, balance_after, product_id, operation,
        quantity, free_quantity, outcome, category, is_billable, is_late, run_id, idempotency_key, reason, actor_label,
        request_id, occurred_at, recorded_at)
    SELECT gen_random_uuid(), %(account)s, number, 'consumption', 0, 0, %(product)s, 'fix_run', 1000000, 0, 'succeeded',
        'regular', TRUE, FALSE, replace(%(run)s, '#', number::text), '', '', 'test', 'test', %(at)s, %(at)s
    FROM generate_series(1, %(count)s) AS number
"""


@pytest.fixture
def place() -> Place:
    """An account with a long past, of which all but the last entries were looked at."""
    found = make_place()
    values: dict[str, Any] = {
        "account": found.organization.pk,
        "product": found.product.pk,
        "at": clock.now() - timedelta(hours=1),
        "run": "",
        "count": ENTRIES,
        "seen": ENTRIES - NEW,
    }
    with filling(CreditEntry), connection.cursor() as cursor:
        cursor.execute(_FILL, values)
        cursor.execute(
            "UPDATE credits_creditaccount SET last_sequence = %(count)s, burned_sequence = %(seen)s"
            " WHERE organization_id = %(account)s",
            values,
        )
        cursor.execute(
            "INSERT INTO credits_entryseal (account_id, first_sequence, sequence, columns, hash, marks, sealed_at)"
            " VALUES (%(account)s, 1, %(seen)s, 'id', '', '', %(at)s)",
            values,
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE credits_creditentry")
    return found


def buffers_of(statement: str, parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        (found,) = cursor.fetchone() or ({},)
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_burning(place: Place) -> None:
    # What a function's first call in a session reads is of the catalogue.
    buffers_of("SELECT credits_burn(%s::uuid[])", [[]])
    assert 0 < buffers_of("SELECT credits_burn(%s::uuid[])", [[place.organization.pk]]) < FEW_BUFFERS
    place.account.refresh_from_db()
    assert place.account.burned_sequence == ENTRIES


def test_sealing(place: Place) -> None:
    columns = sealed_columns()
    values: dict[str, Any] = {
        "accounts": [place.organization.pk],
        "columns": columns,
        "most": 10_000,
        "now": clock.now(),
    }
    assert 0 < buffers_of(seals._SEAL.format(mark=MARK, row=row_text(columns)), values) < FEW_BUFFERS
    assert EntrySeal.objects.latest("sequence").sequence == ENTRIES


@pytest.mark.parametrize("run", ["run-#", "nightly"])
@pytest.mark.slow
def test_looking_for_a_run(run: str) -> None:
    """Of an account with many runs, and of runs that many entries of others have; before the table is analyzed."""
    asked, other = make_place(), make_place("blue")
    values: dict[str, Any] = {"product": asked.product.pk, "at": clock.now(), "count": ENTRIES // 2, "run": run}
    with filling(CreditEntry), connection.cursor() as cursor:
        cursor.execute(_FILL, {**values, "account": other.organization.pk})
        cursor.execute(_FILL, {**values, "account": asked.organization.pk, "run": "mine-#"})
    statement = "SELECT * FROM credits_charged_before(%s, %s)"
    parameters = [asked.organization.pk, run.replace("#", "7")]
    # The second time: what is read once in a session is of the catalogue.
    _, read = (buffers_of(statement, parameters) for _ in range(2))
    assert 0 < read < FEW_BUFFERS // 10
