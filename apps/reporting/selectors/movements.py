"""What moved an organization's credits, by the day on which it was recorded: rollups, and the live tail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, tzinfo
from uuid import UUID

from apps.core.ids import OrganizationId
from apps.credits.selectors.burn import KeptDays, ProductDay
from apps.credits.selectors.rollups import ACCOUNT_NOW, ENTRY_LINES
from apps.reporting.selectors.lines import day_of, fetch
from apps.reporting.selectors.usage import WITH_ZONE, Span, of_zone, span_parameters

_WORDS = "recorded_on, occurred_on, kind"
_MOVEMENTS = f"""
    WITH part AS (SELECT %(organization)s::uuid AS account_id, 9223372036854775807 AS last_sequence, 1 + COALESCE(
        (SELECT last_sequence FROM reporting_rollupstate WHERE account_id = %(organization)s), 0) AS first_sequence),
    line AS MATERIALIZED ({ENTRY_LINES}),
    moved AS (
        SELECT {_WORDS}, amount::numeric FROM reporting_creditrollup
        WHERE account_id = %(organization)s AND recorded_on >= %(first)s
        UNION ALL
        SELECT {day_of("recorded_at")}, {day_of("occurred_at")}, kind, amount FROM line
    )
    {
    WITH_ZONE.replace(
        "<sums>",
        '''SELECT recorded_on, CASE WHEN occurred_on < recorded_on THEN occurred_on ELSE recorded_on END, kind,
        SUM(amount) FROM moved WHERE recorded_on >= %(first)s GROUP BY 1, 2, 3 HAVING SUM(amount) <> 0''',
    )
}
"""  # noqa: S608 - constants alone
# The balance and the sums are of one moment. An account that is not rolled up has no part: it would be its whole life.
_BY_PRODUCT = f"""
    WITH part AS (SELECT account_id, 9223372036854775807 AS last_sequence, last_sequence + 1 AS first_sequence
        FROM reporting_rollupstate WHERE account_id = %(organization)s AND zone = %(zone)s),
    line AS MATERIALIZED ({ENTRY_LINES}),
    moved AS (
        SELECT recorded_on, product_id, kind, amount::numeric FROM reporting_creditrollup
        WHERE account_id = %(organization)s AND recorded_on >= %(first)s
        UNION ALL
        SELECT {day_of("recorded_at")}, product_id, kind, amount FROM line
    )
    SELECT account.last_balance, found.*
    FROM part AS asked CROSS JOIN LATERAL ({ACCOUNT_NOW}) AS account
    LEFT JOIN (
        SELECT recorded_on, product_id, COALESCE(SUM(-amount) FILTER (WHERE kind IN ('consumption', 'capture')), 0),
            SUM(amount)
        FROM moved WHERE recorded_on >= %(first)s GROUP BY 1, 2
    ) AS found ON TRUE
"""  # noqa: S608 - constants alone


@dataclass(frozen=True, slots=True)
class Movement:
    """Entries of one kind, in signed micro-credits; `occurred_on` is at most the day that they were recorded on."""

    recorded_on: date
    occurred_on: date
    kind: str
    amount: int


def credit_movements(organization_id: UUID, zone: str, first: date) -> list[Movement]:
    """Everything that was recorded from the day on until now. Raises `ZoneChangedError`."""
    span = Span(OrganizationId(organization_id), None, zone, first, first)
    rows = of_zone(span, fetch(_MOVEMENTS, span_parameters(span)))
    return [Movement(recorded_on, occurred_on, kind, int(amount)) for recorded_on, occurred_on, kind, amount in rows]


def kept_days(account_id: UUID, zone: tzinfo, first: date) -> KeptDays | None:
    """The sums of each product's entries from the day on; None where the account's days are not cut in this zone."""
    span = Span(OrganizationId(account_id), None, str(zone), first, first)
    rows = fetch(_BY_PRODUCT, {**span_parameters(span), "zone": span.zone})
    if not rows:
        return None
    sums = [ProductDay(day, product, int(spent), int(moved)) for _, day, product, spent, moved in rows if day]
    return KeptDays(int(rows[0][0]), sums)
