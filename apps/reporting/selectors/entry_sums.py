"""What a filter's entries come to by day, kind and operation: rollups, and the live tail, for the Credits page."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.core.ids import OrganizationId
from apps.credits.selectors.entry_sums import EntryDays, EntrySum
from apps.credits.selectors.rollups import ENTRY_LINES
from apps.credits.selectors.statement import USES, EntryFilter
from apps.reporting.selectors.lines import day_of, fetch
from apps.reporting.selectors.usage import WITH_ZONE, Span, ZoneChangedError, of_zone, span_parameters

_WORDS = "day, kind, product_id, operation"
_WANTED = """
    (%(kind)s::text IS NULL OR kind = %(kind)s::text)
    AND (%(product)s::uuid IS NULL OR product_id = %(product)s::uuid)
    AND (%(workspace)s::uuid IS NULL OR workspace_id = %(workspace)s::uuid)
    AND (NOT %(is_without_workspace)s OR (workspace_id IS NULL AND kind = ANY(%(uses)s::text[])))
"""
_IN_SPAN = "recorded_on >= %(first)s AND recorded_on < %(until)s"
_SUMS = f"""
    WITH part AS (SELECT %(organization)s::uuid AS account_id, 9223372036854775807 AS last_sequence, 1 + COALESCE(
        (SELECT last_sequence FROM reporting_rollupstate WHERE account_id = %(organization)s), 0) AS first_sequence),
    line AS MATERIALIZED ({ENTRY_LINES}),
    found AS (
        SELECT recorded_on AS day, kind, product_id, operation, amount::numeric FROM reporting_creditrollup
        WHERE account_id = %(organization)s AND <days> AND {_WANTED}
        UNION ALL
        SELECT recorded_on, kind, product_id, operation, amount
        FROM (SELECT {day_of("recorded_at")} AS recorded_on, line.* FROM line) AS dated WHERE <days> AND {_WANTED}
    )
    {WITH_ZONE.replace("<sums>", f"SELECT {_WORDS}, SUM(amount) FROM found GROUP BY {_WORDS} HAVING SUM(amount) <> 0")}
"""  # noqa: S608 - constants alone
_SUMS_OF_SPAN = _SUMS.replace("<days>", _IN_SPAN)
# Days far apart are looked up one by one: what lies between them is not read.
_SUMS_OF_DAYS = _SUMS.replace("<days>", "recorded_on = ANY(%(only)s::date[])")


def sums_of_entries(account_id: UUID, wanted: EntryFilter, days: EntryDays) -> Sequence[EntrySum] | None:
    """The sums of the wanted entries; `wanted.since` and `until` are those of the days. None while the zone changes."""
    span = Span(OrganizationId(account_id), None, days.zone, days.first, days.until)
    parameters = span_parameters(span) | {
        "kind": wanted.kind,
        "product": wanted.product_id,
        "workspace": wanted.workspace_id,
        "is_without_workspace": wanted.without_workspace,
        "uses": list(USES),
        "only": None if days.only is None else list(days.only),
    }
    try:
        rows = of_zone(span, fetch(_SUMS_OF_SPAN if days.only is None else _SUMS_OF_DAYS, parameters))
    except ZoneChangedError:
        return None
    return [
        EntrySum(day, kind, product_id, operation, int(amount)) for day, kind, product_id, operation, amount in rows
    ]
