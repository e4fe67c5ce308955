"""What usage costs to read follows from the days it covers, not from the age of the ledger (spec 07, Volumes)."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, transaction

from apps.core import clock
from apps.core.ids import OrganizationId
from apps.credits.models import CreditEntry
from apps.reporting.rules.pieces import cut_pieces
from apps.reporting.rules.windows import TimeWindow, timeframes
from apps.reporting.selectors import lines, usage
from apps.reporting.services import rollups, rollups_refresh
from tests.contexts import console_context
from tests.credits.cast import Place, make_place
from tests.scale.rows import filling
from tests.sizes import size

YOUNG, OLD, A_DAY = size(small=(60, 600, 6), full=(500, 5_000, 1_000))
_ENTRIES = """
    INSERT INTO credits_creditentry (id, account_id, sequence, kind, amount, balance_after, product_id, operation,
        quantity, free_quantity, outcome, category, is_billable, is_late, run_id, idempotency_key, reason, actor_label,
        request_id, occurred_at, recorded_at)
    SELECT gen_random_uuid(), %(account)s, number, 'consumption', 0, 0, %(product)s, 'op-' || number %% 4, 1000000, 0,
        'succeeded', 'regular', TRUE, FALSE, '', '', '', 'test', 'test', at, at
    FROM (SELECT number, %(from)s::timestamptz + number * interval '1 day' / %(a_day)s AS at
        FROM generate_series(1, %(count)s) AS number) AS numbered
"""


def entry_values(place: Place, *, days: int, a_day: int) -> dict[str, Any]:
    return {
        "account": place.organization.pk,
        "product": place.product.pk,
        "from": clock.now() - timedelta(days=days),
        "a_day": a_day,
        "count": days * a_day,
    }


def live_long(days: int) -> OrganizationId:
    """An account with the same entries a day for so many days until now, rolled up day by day."""
    place = make_place(f"age-{days}")
    values = entry_values(place, days=days, a_day=A_DAY)
    with filling(CreditEntry), connection.cursor() as cursor:
        cursor.execute(_ENTRIES, values)
        cursor.execute(
            "UPDATE credits_creditaccount SET last_sequence = %(count)s, burned_sequence = %(count)s"
            " WHERE organization_id = %(account)s",
            values,
        )
    with connection.cursor() as cursor:
        # As the server does by itself while a table grows.
        cursor.execute("ANALYZE credits_creditentry")
    with patch.object(rollups, "cut_pieces", lambda **given: cut_pieces(**given, most=A_DAY)):
        while rollups_refresh(console_context())["entries"]:
            pass
    return OrganizationId(place.organization.pk)


def buffers_of(organization_id: OrganizationId, window: TimeWindow) -> int:
    """The buffers that reading the usage of the window touches."""
    frames = timeframes(window, clock.now().date())
    span = usage.Span(organization_id, None, "UTC", frames[0].start, frames[-1].end)
    seen = 0

    def explain(statement: str, parameters: Any, database: str) -> list[Any]:
        nonlocal seen
        assert database == DEFAULT_DB_ALIAS
        with transaction.atomic(), connection.cursor() as cursor:
            # A table as small as the gate's would be read whole.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
            (plan,) = cursor.fetchone() or ({},)
            plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            seen += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    with patch.object(usage, "fetch", explain):
        found = usage.credit_usage(span)
    assert sum(line.count for line in found) >= A_DAY
    return seen


@pytest.mark.prove("usage read, ten times the age", size=OLD * A_DAY)
@pytest.mark.django_db(transaction=True)
def test_an_older_ledger_costs_no_more_to_read() -> None:
    young, old = live_long(YOUNG), live_long(OLD)
    with connection.cursor() as cursor:
        # Without what earlier tests left behind, and as the server does by itself for a table that grows.
        cursor.execute("VACUUM FULL reporting_creditrollup")
        cursor.execute("VACUUM ANALYZE reporting_creditrollup, credits_creditentry")
    for window in TimeWindow:
        assert buffers_of(old, window) < 2_000
    # Both have lived through this window whole; some buffers are those of a deeper index.
    assert buffers_of(old, TimeWindow.LAST_MONTH) <= max(
        12 * buffers_of(young, TimeWindow.LAST_MONTH) // 10, buffers_of(young, TimeWindow.LAST_MONTH) + 8
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_what_came_in_is_added_up_without_a_look_at_the_rest() -> None:
    """On a ledger large enough for the planner to prefer reading all of it: some 2,000 pages."""
    place = make_place("news")
    with filling(CreditEntry), connection.cursor() as cursor:
        cursor.execute(_ENTRIES, entry_values(place, days=500, a_day=80))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE credits_creditentry")
    parts = [lines.EntryPart(place.organization.pk, first, first + 9) for first in range(39_801, 40_000, 10)]
    parameters = lines.entry_parameters(parts)
    days = lines.days_of_lines(lines.ENTRY_SPAN, parameters, UTC)
    assert 0 < buffers_of_statement(lines.ENTRY_SUMS, parameters | days) < 300


def buffers_of_statement(statement: str, parameters: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        (found,) = cursor.fetchone() or ({},)
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.django_db
def test_a_refresh_without_news_reads_no_entries() -> None:
    live_long(YOUNG)
    with connection.execute_wrapper(_refuse_entries):
        assert rollups_refresh(console_context())["entries"] == 0


def _refuse_entries(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    assert "credits_creditentry" not in sql
    return execute(sql, params, many, context)
