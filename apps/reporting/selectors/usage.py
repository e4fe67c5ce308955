"""What was used, day by day, in the zone of the rollups: rollups, and the live tail of what is not in them yet.

Each statement sees one moment of the database, so that an entry counts either in its rollup or in the tail. How much a
read costs follows from the days that it covers and from what came in since the last refresh, about a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from apps.connectors.models import ChangedMonth
from apps.connectors.selectors.rollups import RECORD_LINES
from apps.core import clock
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import FIRST_YEAR, LAST_YEAR, zone_of
from apps.credits.selectors.rollups import ENTRY_LINES
from apps.reporting.models import RollupState
from apps.reporting.selectors.lines import day_of, day_parameters, fetch
from apps.tenants.models import Organization

_WORKSPACE = "AND (%(workspace)s::uuid IS NULL OR workspace_id = %(workspace)s::uuid)"
_USAGE_KINDS = "kind IN ('consumption', 'capture', 'reversal')"
# Without a row of its own a zone would be missing where nothing was used. `zone` is NULL before the first refresh.
WITH_ZONE = """
    SELECT state.zone, found.* FROM (SELECT (SELECT zone FROM reporting_rollupstate
        WHERE account_id = %(organization)s) AS zone) AS state
    LEFT JOIN (<sums>) AS found ON TRUE
"""
_CREDIT_WORDS = "day, workspace_id, product_id, operation, category"
_CREDITS = f"""
    WITH part AS (SELECT %(organization)s::uuid AS account_id, 9223372036854775807 AS last_sequence, 1 + COALESCE(
        (SELECT last_sequence FROM reporting_rollupstate WHERE account_id = %(organization)s), 0) AS first_sequence),
    line AS MATERIALIZED ({ENTRY_LINES}),
    usage AS (
        SELECT occurred_on AS day, workspace_id, product_id, operation, category, quantity, count, 0::numeric AS charge
        FROM reporting_creditrollup WHERE account_id = %(organization)s
            AND occurred_on >= %(first)s AND occurred_on < %(until)s AND {_USAGE_KINDS} {_WORKSPACE}
        UNION ALL
        SELECT recorded_on, workspace_id, product_id, operation, category, 0, 0, -amount
        FROM reporting_creditrollup WHERE account_id = %(organization)s
            AND recorded_on >= %(first)s AND recorded_on < %(until)s AND {_USAGE_KINDS} {_WORKSPACE}
        UNION ALL
        SELECT {day_of("occurred_at")}, workspace_id, product_id, operation, category, quantity, count, 0
        FROM line WHERE {_USAGE_KINDS} {_WORKSPACE}
        UNION ALL
        SELECT {day_of("recorded_at")}, workspace_id, product_id, operation, category, 0, 0, -amount
        FROM line WHERE {_USAGE_KINDS} {_WORKSPACE}
    )
    {
    WITH_ZONE.replace(
        "<sums>",
        f'''SELECT {_CREDIT_WORDS}, SUM(quantity), SUM(count), SUM(charge) FROM usage
        WHERE day >= %(first)s AND day < %(until)s GROUP BY {_CREDIT_WORDS}
        HAVING SUM(quantity) <> 0 OR SUM(count) <> 0 OR SUM(charge) <> 0''',
    )
}
"""  # noqa: S608 - constants alone
_RECORD_WORDS = "day, workspace_id, connector_id, kind, unit, category, currency"
_RECORDS = f"""
    WITH part AS (SELECT %(organization)s::uuid AS account_id, part.* FROM unnest(%(workspaces)s::uuid[],
        %(connectors)s::uuid[], %(months)s::text[]) AS part (workspace_id, connector_id, month)),
    line AS ({RECORD_LINES}),
    usage AS (
        SELECT occurred_on AS day, workspace_id, connector_id, kind, unit, category, currency,
            quantity::numeric AS quantity, amount::numeric AS amount
        FROM reporting_connectorrollup AS stored WHERE account_id = %(organization)s
            AND occurred_on >= %(first)s AND occurred_on < %(until)s {_WORKSPACE}
            AND NOT EXISTS (SELECT FROM part
                WHERE part.connector_id = stored.connector_id AND part.month = stored.month)
        UNION ALL
        SELECT {day_of("occurred_at")}, workspace_id, connector_id, kind, unit, category, currency, quantity, amount
        FROM line WHERE TRUE {_WORKSPACE}
    )
    {
    WITH_ZONE.replace(
        "<sums>",
        f'''SELECT {_RECORD_WORDS}, SUM(quantity), SUM(amount) FROM usage
        WHERE day >= %(first)s AND day < %(until)s AND kind IN ('usage', 'cost')
        GROUP BY {_RECORD_WORDS}''',
    )
}
"""  # noqa: S608 - constants alone


@dataclass(frozen=True, slots=True)
class CreditUsage:
    """One operation on one day: micro-units used, runs, micro-credits charged; what was given back taken off."""

    day: date
    workspace_id: UUID | None
    product_id: UUID | None
    operation: str
    category: str
    quantity: int
    count: int
    charge: int


@dataclass(frozen=True, slots=True)
class ConnectorUsage:
    """One unit of a connector on one day, and its money in minor units of the currency, which may be empty."""

    day: date
    workspace_id: UUID
    connector_id: UUID
    kind: str
    unit: str
    category: str
    currency: str
    quantity: Decimal
    amount: int


@dataclass(frozen=True, slots=True)
class Span:
    """Whose usage, and of which local days: from `first` until before `until`, cut in `zone`; and where it is read."""

    organization_id: OrganizationId
    workspace_id: WorkspaceId | None
    zone: str
    first: date
    until: date
    database: str = DEFAULT_DB_ALIAS


class ZoneChangedError(Exception):
    """The rollups were cut anew in another zone between two statements; ask again."""


def zone_of_rollups(organization_id: OrganizationId, database: str = DEFAULT_DB_ALIAS) -> str:
    """The zone that the organization's days are cut in now, by name; its own before the first refresh."""
    zone = RollupState.objects.using(database).filter(pk=organization_id).values_list("zone", flat=True).first()
    if zone is not None:
        return zone
    # The replica may not know a new organization yet.
    return Organization.objects.values_list("time_zone", flat=True).get(pk=organization_id)


def credit_usage(span: Span) -> list[CreditUsage]:
    """What was charged and used, by day and operation. Raises `ZoneChangedError`."""
    return [
        CreditUsage(day, workspace_id, product_id, operation, category, int(quantity), int(count), int(charge))
        for day, workspace_id, product_id, operation, category, quantity, count, charge in of_zone(
            span, fetch(_CREDITS, span_parameters(span), span.database)
        )
    ]


def connector_usage(span: Span) -> list[ConnectorUsage]:
    """What the records of usage and cost say, by day and unit. Raises `ZoneChangedError`."""
    changed = ChangedMonth.objects.using(span.database).filter(connector__workspace__organization=span.organization_id)
    if span.workspace_id is not None:
        changed = changed.filter(connector__workspace=span.workspace_id)
    months = set(changed.values_list("connector__workspace_id", "connector_id", "month"))
    parameters = span_parameters(span) | {
        "workspaces": [workspace_id for workspace_id, _, _ in months],
        "connectors": [connector_id for _, connector_id, _ in months],
        "months": [month for _, _, month in months],
    }
    rows = of_zone(span, fetch(_RECORDS, parameters, span.database))
    return [
        ConnectorUsage(day, workspace_id, connector_id, kind, unit, category, currency, quantity, int(amount))
        for day, workspace_id, connector_id, kind, unit, category, currency, quantity, amount in rows
    ]


def of_zone(span: Span, rows: list[Any]) -> list[Any]:
    """The rows without their zone. Raises `ZoneChangedError` where that is another than the span's."""
    if rows[0][0] not in {None, span.zone}:
        raise ZoneChangedError
    return [rest for _, *rest in rows if rest[0] is not None]


def span_parameters(span: Span) -> dict[str, Any]:
    """The span as parameters of a statement, with the table of its days up to now."""
    # Within the years that we take: two days beyond the calendar's edges there is no day.
    earliest, latest = max(span.first, date(FIRST_YEAR, 1, 1)), min(span.until, date(LAST_YEAR, 12, 31))
    # A day to either side covers every zone; a moment of an entry is at most some minutes ahead.
    first = datetime.combine(earliest - timedelta(days=2), time(), UTC)
    last = max(datetime.combine(latest, time(), UTC), clock.now()) + timedelta(days=2)
    return {
        "organization": span.organization_id,
        "workspace": span.workspace_id,
        "first": span.first,
        "until": span.until,
        **day_parameters(zone_of(span.zone), first, last),
    }
