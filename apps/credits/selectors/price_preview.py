"""What the price preview of a draft reads: a product's uses in pieces of days, added up in SQL (spec 05, Policy).

The ledger lies on the disk in the order of time, so that a piece reads its days alone, however old the ledger is. The
free quantity of a month that began before the window is counted from the month's beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery

from apps.core.pieces import statement_in_pieces
from apps.credits.enums import EntryKind, PricePreviewStatus
from apps.credits.models import CreditEntry, PricePreviewRun
from apps.credits.rules.price_preview import Place, PricePreview, PriceReplay, UseGroup
from apps.credits.rules.pricing import PolicyTerms
from apps.tenants.models import Organization

WINDOW = timedelta(days=30)
_PIECE = timedelta(days=15)
_FETCHED_AT_ONCE = 5_000
_LONGEST = timedelta(minutes=5)
_MOST_CHARGES = 20_000
# A month begins in the easternmost zone before it does in UTC.
_EASTERNMOST = timedelta(hours=14)

_COLUMNS = (
    *("account_id", "operation", "outcome", "category", "quantity", "free_quantity", "free_month", "amount"),
    *("local_charge", "sequence", "occurred_at", "recorded_at", "time_zone"),
)
# What the free quantity covered is regular use too, but another policy may cover less of it. The month is the one that
# the statement which charged counted with; within the piece's month, away from its ends, it is that in every zone,
# which saves the reckoning by zone of nearly all.
_LINES = """
    ({entries}) AS entry (account_id, operation, outcome, category, quantity, free_quantity, free_month, amount,
        local_charge, sequence, occurred_at, recorded_at, time_zone)
    LEFT JOIN unnest(%s::text[], %s::text[], %s::boolean[]) AS billed (operation, outcome, has_free)
        ON billed.operation = entry.operation AND billed.outcome = entry.outcome AND entry.local_charge IS NULL
        AND (entry.category = 'regular' OR entry.free_quantity > 0)
    CROSS JOIN LATERAL (SELECT CASE WHEN NOT billed.has_free THEN NULL
        WHEN entry.free_month IS NOT NULL THEN entry.free_month
        WHEN entry.occurred_at >= %s AND entry.occurred_at < %s THEN %s
        ELSE (SELECT m.month FROM credits_free_month(entry.occurred_at, entry.recorded_at, entry.time_zone) AS m)
        END AS month) AS free
"""
_GROUPS = f"""
    SELECT entry.account_id, entry.operation, free.month, billed.operation IS NOT NULL,
        CASE WHEN billed.operation IS NOT NULL AND known.charge IS NULL THEN entry.quantity END,
        COUNT(*), SUM(-entry.amount), SUM(entry.quantity), MIN(entry.quantity), MAX(entry.quantity),
        COALESCE(SUM(known.charge), 0), entry.local_charge IS NOT NULL
    FROM {_LINES}
    LEFT JOIN unnest(%s::text[], %s::bigint[], %s::bigint[]) AS known (operation, quantity, charge)
        ON known.operation = billed.operation AND known.quantity = entry.quantity
    GROUP BY 1, 2, 3, 4, 5, 12
"""  # noqa: S608 - our own text
_BEFORE = f"""
    SELECT entry.account_id, entry.operation, free.month, SUM(entry.quantity)
    FROM {_LINES} WHERE billed.has_free GROUP BY 1, 2, 3
"""  # noqa: S608 - our own text
# For the groups of tens of thousands of accounts, which would go through temporary files with the usual 4 MB.
_MEMORY = "SET LOCAL work_mem = '64MB'"
# The uses that a place's free quantity reaches.
_IN_ORDER = f"""
    SELECT line.account_id, line.operation, line.month, line.quantity FROM (
        SELECT entry.account_id, entry.operation, entry.sequence, free.month, entry.quantity, place.free_left,
            SUM(entry.quantity) OVER (PARTITION BY entry.account_id, entry.operation, free.month
                ORDER BY entry.sequence) - entry.quantity AS used_before
        FROM {_LINES}
        JOIN unnest(%s::uuid[], %s::text[], %s::date[], %s::bigint[])
            AS place (account_id, operation, month, free_left)
            ON place.account_id = entry.account_id AND place.operation = entry.operation AND place.month = free.month
        WHERE billed.has_free) AS line
    WHERE line.used_before < line.free_left ORDER BY line.account_id, line.sequence
"""  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True)
class PreviewWindow:
    """Uses of `since` to `until` count; those from `begins` on take from free quantities."""

    begins: datetime
    since: datetime
    until: datetime

    @property
    def days(self) -> int:
        return -((self.begins - self.until) // timedelta(days=1))

    def pieces(self) -> Iterator[tuple[datetime, datetime, bool]]:
        """From, until, and whether its uses count; the older piece first, none of two months."""
        at = self.begins
        while at < self.until:
            end = min(at + _PIECE, _next_month(at), self.since if at < self.since else self.until)
            yield at, end, at >= self.since
            at = end

    def days_until(self, moment: datetime) -> int:
        """How many of the days lie before the moment, the day begun too."""
        return -((self.begins - moment) // timedelta(days=1))


def window_of(since: datetime, until: datetime) -> PreviewWindow:
    """The window, and from when on free quantities are counted for it."""
    return PreviewWindow(_month_begin(since) - _EASTERNMOST, since, until)


def price_preview(
    terms: PolicyTerms, window: PreviewWindow, note: Callable[[int], object] = lambda days: None
) -> PricePreview:
    """What the terms would have charged for the product's uses in the window, reversals left aside.

    Uses of demo and synthetic organizations are left out: nobody pays for them. `note` is told after each piece how
    many days are behind it.
    """
    replay = PriceReplay(terms.prices)
    billed = [
        (name, outcome, price.free_quantity > 0)
        for name, price in terms.prices.items()
        for outcome in price.billable_outcomes
    ]
    has_free = any(free for _, _, free in billed)
    for begin, end, is_counted in window.pieces():
        piece = _Piece(_entries(terms.product_id, begin, end), billed, begin)
        if is_counted:
            replay.add(_groups(replay, piece), partial(_in_order, piece))
        elif has_free:
            for account_id, operation, month, quantity in piece.rows(_BEFORE):
                replay.use_up(Place(account_id, operation, month), int(quantity))
        note(window.days_until(end))
    return replay.result()


def latest_preview(product_id: UUID) -> PricePreviewRun | None:
    """The product's latest preview that was not discarded."""
    runs = PricePreviewRun.objects.filter(product=product_id).exclude(status=PricePreviewStatus.DISCARDED)
    return runs.order_by("-created_at").first()


def _month_begin(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(moment: datetime) -> datetime:
    return _month_begin(_month_begin(moment) + timedelta(days=31))


_Entries = QuerySet[CreditEntry, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some days of the ledger, and what the policy bills: operation, outcome, and whether some of it is free."""

    entries: _Entries
    billed: list[tuple[str, str, bool]]
    begin: datetime

    def rows(self, statement: str, *columns: list[Any]) -> Iterator[tuple[Any, ...]]:
        """The rows of one of the statements; `columns` are those of its second table."""
        entries, values = self.entries.query.sql_with_params()
        month = _month_begin(self.begin)
        known = (month + _EASTERNMOST, _next_month(month) - _EASTERNMOST, month.date())
        parameters = [*values, *_columns(self.billed, 3), *known, *columns]
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_MEMORY)
            yield from statement_in_pieces(
                statement.format(entries=entries), parameters, size=_FETCHED_AT_ONCE, longest=_LONGEST
            )


def _entries(product_id: UUID, begin: datetime, end: datetime) -> _Entries:
    paying = Organization.objects.filter(is_demo=False, is_synthetic=False)
    zone = Organization.objects.filter(pk=OuterRef("account")).values("time_zone")
    entries = CreditEntry.objects.filter(
        product_id=product_id,
        kind__in=[EntryKind.CONSUMPTION, EntryKind.CAPTURE],
        recorded_at__gte=begin,
        recorded_at__lt=end,
        account__in=paying.values("pk"),
    )
    return entries.annotate(time_zone=Subquery(zone)).values_list(*_COLUMNS)


def _groups(replay: PriceReplay, piece: _Piece) -> Iterator[UseGroup]:
    known = _columns(replay.known_charges(_MOST_CHARGES), 3)
    for *group, lines, charged, total, least, most, would_charge, is_local in piece.rows(_GROUPS, *known):
        if is_local:
            replay.leave_out(lines)
        else:
            yield UseGroup._make([*group, lines, int(charged), int(total), least, most, int(would_charge)])


def _in_order(piece: _Piece, places: Mapping[Place, int]) -> Iterator[tuple[Place, int]]:
    columns = _columns([(*place, left) for place, left in places.items()], 4)
    for account_id, operation, month, quantity in piece.rows(_IN_ORDER, *columns):
        yield Place(account_id, operation, month), quantity


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    """Rows of so many columns as one list for each column."""
    return [[row[place] for row in rows] for place in range(count)]
