"""The figures of the books, of some accounts in one statement (spec 07, Books).

They go on from the account's last statement, so that what is read follows from the days since then: rollups of these
days, and the entries from the asked day on. What is after the asked moment is taken off again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from apps.core import clock
from apps.core.ids import OrganizationId
from apps.core.moments import zone_of
from apps.core.pieces import in_pieces
from apps.credits.models import CreditAccount
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.selectors.rollups import ACCOUNT_NOW, ENTRIES_SINCE
from apps.credits.selectors.seals import seal_faults
from apps.reporting.models import BooksCheck, PlatformBooks
from apps.reporting.rules.books import BooksLine, Figures, add_figures, books_lines
from apps.reporting.rules.days import day_table
from apps.reporting.selectors.faults import rollup_faults
from apps.reporting.selectors.lines import fetch

LIST = 500
MOST_NAMED = 20
_DAY = timedelta(days=1)
_KINDS = {
    "granted": "kind = 'grant'",
    "consumed": "kind IN ('consumption', 'capture')",
    "expired": "kind = 'expiry'",
    "voided": "kind = 'void'",
    "given_back": "kind = 'reversal'",
    "adjusted": "kind = 'adjustment'",
}
SUMS = ", ".join(f"COALESCE(SUM(amount) FILTER (WHERE {kind}), 0) AS {name}" for name, kind in _KINDS.items())
_TOTALS = ", ".join(f"COALESCE(stated.{name}, 0) + rolled.{name} + late.{name}" for name in _KINDS)
# What is in no rollup yet comes on top; what is after the moment goes off.
_LATE = ", ".join(
    f"""COALESCE(SUM(amount) FILTER (WHERE {kind} AND sequence > COALESCE(state.last_sequence, 0)), 0)
        - COALESCE(SUM(amount) FILTER (WHERE {kind} AND recorded_at >= asked.ends_at), 0) AS {name}"""
    for name, kind in _KINDS.items()
)
_FIGURES = f"""
    SELECT asked.account_id, {_TOTALS}, now.balance - late.after, now.last_balance, now.held, now.open_holds,
        rolled.moved + late.tail_moved, late.moved, now.balance
    FROM unnest(%(accounts)s::uuid[], %(days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS asked (account_id, day, starts_at, ends_at)
    CROSS JOIN LATERAL ({ACCOUNT_NOW}) AS now
    LEFT JOIN reporting_rollupstate AS state ON state.account_id = asked.account_id
    LEFT JOIN LATERAL (SELECT * FROM reporting_booksstatement AS statement
        WHERE statement.account_id = asked.account_id AND statement.zone = state.zone AND statement.through < asked.day
        ORDER BY statement.through DESC LIMIT 1) AS stated ON TRUE
    CROSS JOIN LATERAL (SELECT {SUMS},
            COALESCE(SUM(amount) FILTER (WHERE recorded_on >= asked.day), 0) AS moved
        FROM reporting_creditrollup AS rollup WHERE rollup.account_id = asked.account_id
            AND rollup.recorded_on > COALESCE(stated.through, '-infinity')) AS rolled
    CROSS JOIN LATERAL (SELECT LEAST(COALESCE(state.last_sequence, 0) + 1, (SELECT MIN(first_sequence)
        FROM reporting_creditrollup AS rollup WHERE rollup.account_id = asked.account_id
            AND rollup.recorded_on >= asked.day)) AS first_sequence) AS since
    CROSS JOIN LATERAL (SELECT {_LATE},
            COALESCE(SUM(amount) FILTER (WHERE recorded_at >= asked.ends_at), 0) AS after,
            COALESCE(SUM(amount) FILTER (WHERE recorded_at >= asked.starts_at), 0) AS moved,
            COALESCE(SUM(amount) FILTER (WHERE recorded_at >= asked.starts_at
                AND sequence > COALESCE(state.last_sequence, 0)), 0) AS tail_moved
        FROM ({ENTRIES_SINCE}) AS entry) AS late
"""  # noqa: S608 - constants alone


@dataclass(frozen=True, slots=True)
class Books:
    """The identities of an organization or of the platform at the end of a day, and what is wrong, by record.

    `checked_at`: when all entries were last looked at, which names faults that no sum shows; None: never.
    """

    day: date
    lines: Sequence[BooksLine]
    faults: Sequence[str]
    checked_at: datetime | None = None
    accounts: int = 1

    @property
    def is_sound(self) -> bool:
        return not self.faults and not any(line.difference for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Asked:
    """An account with its local day, when that began, and up to when it is asked for."""

    account_id: UUID
    day: date
    starts_at: datetime
    ends_at: datetime


def organization_books(organization_id: OrganizationId, day: date, *, is_thorough: bool = False) -> Books:
    """The books of one organization at the end of its local day, or as they are now if that is not over.

    Where an identity does not hold the records at fault are looked for; `is_thorough`: in any case, entry by entry.
    """
    account = CreditAccount.objects.select_related("organization", "rollup_state").get(pk=organization_id)
    starts_at, ends_at = _bounds(day, _zone_of(account))
    lines = books_lines(_figures([_Asked(account.pk, day, starts_at, ends_at)])[account.pk])
    last = last_check()
    known = [fault for fault in (last.faults if last else ()) if str(organization_id) in fault]
    if is_thorough or any(line.difference for line in lines):
        known = account_faults(organization_id)
    return Books(day, lines, known, clock.now() if is_thorough else last.checked_at if last else None)


def platform_books(day: date) -> Books:
    """The books of all customers at the end of the day (UTC), read in lists; demos are left out."""
    ends_at = datetime.combine(day + _DAY, time(), UTC)
    figures: list[Figures] = []
    wrong: list[UUID] = []
    accounts = 0
    for piece in _lists():
        found = _figures([_asked_of(account, day, ends_at) for account in piece])
        accounts += len(found)
        figures = [add_figures([*figures, *found.values()])]
        wrong += [pk for pk, of_one in found.items() if any(line.difference for line in books_lines(of_one))]
    last = last_check()
    faults = list(last.faults) if last else []
    for account_id in wrong[:MOST_NAMED]:
        faults += [fault for fault in account_faults(account_id) if fault not in faults]
    if len(wrong) > MOST_NAMED:
        faults.append(f"{len(wrong) - MOST_NAMED} more accounts are wrong")
    return Books(day, books_lines(add_figures(figures)), faults, last.checked_at if last else None, accounts)


def account_faults(account_id: UUID) -> list[str]:
    """What is wrong with one account, by record: its entries, holds, grants, seals and rollups, all read."""
    rolled = [f"rollups of organization {account_id}: {fault}" for fault in rollup_faults(account_id)]
    return [*ledger_faults(account_id), *seal_faults(account_id=account_id), *rolled]


def last_check() -> BooksCheck | None:
    """The last look at all entries."""
    return BooksCheck.objects.order_by("-checked_at").first()


def _lists() -> Iterator[list[CreditAccount]]:
    customers = CreditAccount.objects.filter(organization__is_demo=False, organization__is_synthetic=False)
    piece: list[CreditAccount] = []
    for account in in_pieces(customers.select_related("organization", "rollup_state"), size=LIST):
        piece.append(account)
        if len(piece) == LIST:
            yield piece
            piece = []
    if piece:
        yield piece


def _zone_of(account: CreditAccount) -> str:
    """The zone that its rollups are cut in; its own before the first of them."""
    state = getattr(account, "rollup_state", None)
    return state.zone if state else account.organization.time_zone


def _asked_of(account: CreditAccount, day: date, ends_at: datetime) -> _Asked:
    starts_at, _ = _bounds(day, _zone_of(account))
    return _Asked(account.pk, day, starts_at, ends_at)


def _bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """When the local day begins and ends; one that the zone left out ends as it begins."""
    around = datetime.combine(day, time(), UTC)
    table = day_table(zone_of(zone), around - 2 * _DAY, around + 3 * _DAY)
    pairs = list(zip(table.starts, table.days, strict=True))
    ends_at = next(start for start, local in pairs if local > day)
    return next((start for start, local in pairs if local >= day), ends_at), ends_at


def _figures(asked: Iterable[_Asked]) -> dict[UUID, Figures]:
    wanted = list(asked)
    parameters = {
        "accounts": [one.account_id for one in wanted],
        "days": [one.day for one in wanted],
        "starts": [one.starts_at for one in wanted],
        "ends": [one.ends_at for one in wanted],
    }
    return {row[0]: _figures_of(row[1:]) for row in fetch(_FIGURES, parameters)}


def _figures_of(row: Sequence[int]) -> Figures:
    granted, consumed, expired, voided, given_back, adjusted, balance, last, held, holds, moved, entries, now = map(
        int, row
    )
    return Figures(
        *(granted, consumed, expired, voided, given_back, adjusted),
        balance=balance,
        last_balance=last,
        account_balance=now,
        held=held,
        open_holds=holds,
        moved=moved,
        entries=entries,
    )


def differences_of_check() -> int:
    """How many differences the last look at all entries, holds, grants and rollups found; 0 before the first."""
    check = last_check()
    return len(check.faults) if check else 0


def differences_of_sums() -> int:
    """How many identities of all customers' books did not hold when they were computed last; 0 before the first."""
    return len(PlatformBooks.objects.order_by("-day").values_list("faults", flat=True).first() or [])
