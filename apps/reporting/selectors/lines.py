"""The lines that rollups add up, and what they come to: one text for writing, for the live tail and for the check.

A line is one entry or one record; the owners of those tables say how they become lines. Here each gets its days, by the
zone's table of days, and lines that share all words are added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from apps.connectors.selectors.rollups import RECORD_LINES
from apps.core.moments import FIRST_YEAR, LAST_YEAR
from apps.credits.selectors.rollups import ENTRY_LINES
from apps.reporting.rules.days import DayTable, day_table

_ENTRY_PARTS = """
    WITH part AS (SELECT * FROM unnest(%(accounts)s::uuid[], %(firsts)s::bigint[], %(lasts)s::bigint[])
        AS part (account_id, first_sequence, last_sequence)),
    line AS (<lines>)
""".replace("<lines>", ENTRY_LINES)
_RECORD_PARTS = """
    WITH part AS (SELECT * FROM unnest(%(accounts)s::uuid[], %(workspaces)s::uuid[], %(connectors)s::uuid[],
        %(months)s::text[]) AS part (account_id, workspace_id, connector_id, month)),
    line AS (<lines>)
""".replace("<lines>", RECORD_LINES)
ENTRY_SPAN = f"""{_ENTRY_PARTS}
    SELECT MIN(LEAST(occurred_at, recorded_at)), MAX(GREATEST(occurred_at, recorded_at)) FROM line
"""  # noqa: S608 - constants alone
RECORD_SPAN = f"{_RECORD_PARTS} SELECT MIN(occurred_at), MAX(occurred_at) FROM line"  # noqa: S608 - constants alone


def day_of(column: str) -> str:
    """SQL for the day of a moment; a moment before the table's first is of no day."""
    return f"(%(days)s::date[])[NULLIF(width_bucket({column}, %(starts)s::timestamptz[]), 0)]"


ENTRY_SUMS = f"""{_ENTRY_PARTS}
    SELECT account_id, first_sequence, {day_of("recorded_at")} AS recorded_on, {day_of("occurred_at")} AS occurred_on,
        kind, workspace_id, product_id, operation, category, SUM(quantity) AS quantity, SUM(amount) AS amount,
        SUM(count) AS count
    FROM line GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""  # noqa: S608 - constants alone
RECORD_SUMS = f"""{_RECORD_PARTS}
    SELECT account_id, workspace_id, connector_id, month, {day_of("occurred_at")} AS occurred_on, kind, unit, category,
        currency, SUM(quantity) AS quantity, SUM(amount) AS amount, COUNT(*) AS count
    FROM line GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""  # noqa: S608 - constants alone


@dataclass(frozen=True, slots=True)
class EntryPart:
    """Consecutive entries of an account."""

    account_id: UUID
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ConnectorMonth:
    """One month of a connector, with whose it is."""

    account_id: UUID
    workspace_id: UUID
    connector_id: UUID
    month: str


def entry_parameters(parts: Sequence[EntryPart]) -> dict[str, Any]:
    """The parts as parameters of a statement."""
    return {
        "accounts": [part.account_id for part in parts],
        "firsts": [part.first for part in parts],
        "lasts": [part.last for part in parts],
    }


def record_parameters(parts: Sequence[ConnectorMonth]) -> dict[str, Any]:
    """The same for months of connectors."""
    return {
        "accounts": [part.account_id for part in parts],
        "workspaces": [part.workspace_id for part in parts],
        "connectors": [part.connector_id for part in parts],
        "months": [part.month for part in parts],
    }


def day_parameters(zone: tzinfo, first: datetime, last: datetime) -> dict[str, Any]:
    """The zone's table of days as parameters. Moments beyond the years that we take count as the nearest of these."""
    table = day_table(zone, *(_within_years(moment) for moment in (first, last)))
    return _parameters(table)


def days_of_lines(span: str, parameters: dict[str, Any], zone: tzinfo) -> dict[str, Any]:
    """The table of days that these lines need; empty where there are none."""
    ((first, last),) = fetch(span, parameters)
    return {} if first is None else day_parameters(zone, first, last)


def fetch(statement: str, parameters: Mapping[str, Any] | Sequence[Any], database: str = DEFAULT_DB_ALIAS) -> list[Any]:
    """All rows of a statement."""
    with connections[database].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def by_zone(parts: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    """Parts by the name of their zone, as a statement has one table of days."""
    found: dict[str, list[Any]] = {}
    for zone, part in parts:
        found.setdefault(zone, []).append(part)
    return found


def _within_years(moment: datetime) -> datetime:
    first, last = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
    return min(max(moment, first), last)


def _parameters(table: DayTable) -> dict[str, Any]:
    return {"starts": list(table.starts), "days": list(table.days)}
