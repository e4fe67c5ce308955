"""Writes what keeps the books quick, and keeps what the looks at them and at the gate have found (spec 07, Books)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.operations import require
from apps.credits.selectors.rollups import NEXT_RECORDED_AT
from apps.reporting.models import BooksCheck, ContradictionKind, PaymentContradiction, PlatformBooks
from apps.reporting.selectors.books import SUMS, platform_books
from apps.reporting.selectors.standing import LIST, FoundContradiction, counted_workspaces, find_contradictions

# Between two statements of an account: the books read the rollups of so many days at most.
STATEMENT_DAYS = 7
_KEPT_CHECKS = timedelta(days=400)
# Days that are over everywhere, so that no entry of theirs is still to come.
_OVER = timedelta(days=3)
_SUMMED = "granted, consumed, expired, voided, given_back, adjusted"
_WRITE_STATEMENTS = f"""
    INSERT INTO reporting_booksstatement (account_id, zone, through, {_SUMMED})
    SELECT state.account_id, state.zone, %(through)s, {
    ", ".join(f"COALESCE(stated.{name}, 0) + rolled.{name}" for name in _SUMMED.split(", "))
}
    FROM reporting_rollupstate AS state
    LEFT JOIN LATERAL (SELECT * FROM reporting_booksstatement AS statement
        WHERE statement.account_id = state.account_id AND statement.zone = state.zone
        ORDER BY statement.through DESC LIMIT 1) AS stated ON TRUE
    CROSS JOIN LATERAL (SELECT COUNT(*) AS lines, {SUMS} FROM reporting_creditrollup AS rollup
        WHERE rollup.account_id = state.account_id AND rollup.recorded_on <= %(through)s
            AND rollup.recorded_on > COALESCE(stated.through, '-infinity')) AS rolled
    WHERE COALESCE(stated.through, '-infinity') <= %(through)s::date - %(days)s AND rolled.lines > 0
        AND COALESCE(({NEXT_RECORDED_AT}), 'infinity') >= %(through)s::date + 2
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants alone


def statements_write(context: ExecutionContext) -> int:
    """Write a statement of each account whose last is some days old and that has moved since; how many."""
    require(context, "jobs.refresh_figures")
    through = (clock.now().astimezone(UTC) - _OVER).date()
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_STATEMENTS, {"through": through, "days": STATEMENT_DAYS})
        return int(cursor.rowcount)


def platform_books_write(context: ExecutionContext) -> PlatformBooks:
    """Compute the books of all customers at the end of yesterday (UTC), and keep them in place of the former ones."""
    require(context, "jobs.refresh_figures")
    now = clock.now()
    books = platform_books(now.astimezone(UTC).date() - timedelta(days=1))
    lines = [asdict(line) for line in books.lines]
    kept, _ = PlatformBooks.objects.update_or_create(
        day=books.day,
        defaults={"taken_at": now, "accounts": books.accounts, "lines": lines, "faults": list(books.faults)},
    )
    return kept


def check_keep(faults: Sequence[str], began_at: datetime) -> None:
    """Keep what a look at all books found, for pages and reports."""
    BooksCheck.objects.update_or_create(checked_at=began_at, defaults={"faults": list(faults)})
    BooksCheck.objects.filter(checked_at__lt=began_at - _KEPT_CHECKS).delete()


def contradictions_refresh(context: ExecutionContext) -> dict[str, int]:
    """Ask the gate about every customer's workspace, and keep what contradicts what is paid; counts by kind.

    One that is gone is deleted once all were asked; one that stays keeps the moment when it was first seen.
    """
    require(context, "jobs.refresh_figures")
    began_at = clock.now()
    counts = dict.fromkeys(ContradictionKind.values, 0)
    piece: list[FoundContradiction] = []
    for found in find_contradictions(counted_workspaces()):
        counts[_kind(found)] += 1
        piece.append(found)
        if len(piece) == LIST:
            _keep(piece, began_at)
            piece = []
    _keep(piece, began_at)
    PaymentContradiction.objects.filter(seen_at__lt=began_at).delete()
    return counts


def _kind(found: FoundContradiction) -> ContradictionKind:
    is_paid = found.contradiction.is_paid
    return ContradictionKind.PAID_BUT_BLOCKED if is_paid else ContradictionKind.UNPAID_BUT_ALLOWED


@transaction.atomic
def _keep(piece: Iterable[FoundContradiction], seen_at: datetime) -> None:
    rows = [
        PaymentContradiction(
            kind=_kind(found),
            workspace_id=found.workspace_id,
            organization_id=found.organization_id,
            reason=found.contradiction.reason,
            records=list(found.contradiction.records),
            first_seen_at=seen_at,
            seen_at=seen_at,
        )
        for found in piece
    ]
    PaymentContradiction.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["workspace", "kind"],
        update_fields=["reason", "records", "seen_at"],
    )
