"""The ledger to read, and its invariants (spec 05, Account, grants, entries)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce

from apps.core.pieces import statement_in_pieces
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, GrantBurn, UncoveredCharge

_FAULTS_AT_ONCE = 500
# Each reads the whole ledger, which grows for years.
_LONGEST = timedelta(hours=1)
# Each query finds what breaks one invariant: who, and what is wrong in words. Every charge burns grants, though perhaps
# later: `burned_sequence` says up to where they have.
_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "balance is the sum of the entries",
        """SELECT a.organization_id, format('balance %s, entries %s', a.balance, COALESCE(e.total, 0))
        FROM credits_creditaccount a LEFT JOIN (
            SELECT account_id, SUM(amount) total FROM credits_creditentry GROUP BY account_id) e
            ON e.account_id = a.organization_id
        WHERE a.balance <> COALESCE(e.total, 0)""",
    ),
    (
        "held is the sum of the open holds",
        """SELECT a.organization_id, format('held %s, open holds %s', a.held, COALESCE(h.total, 0))
        FROM credits_creditaccount a LEFT JOIN (
            SELECT account_id, SUM(amount) total FROM credits_hold WHERE status = 'open' GROUP BY account_id) h
            ON h.account_id = a.organization_id
        WHERE a.held <> COALESCE(h.total, 0)""",
    ),
    (
        "each entry stands on the one before",
        """SELECT account_id, format('entry %s: balance after %s', sequence, balance_after) FROM (
            SELECT account_id, sequence, amount, balance_after,
                lag(balance_after, 1, 0::bigint) OVER w AS before, row_number() OVER w AS place
            FROM credits_creditentry WINDOW w AS (PARTITION BY account_id ORDER BY sequence)) x
        WHERE balance_after <> before + amount OR sequence <> place""",
    ),
    (
        "what is left of the grants less what no grant paid is the balance",
        """SELECT a.organization_id, format('balance %s, left %s, unpaid %s', a.balance, g.total, u.total + n.total)
        FROM credits_creditaccount a
        CROSS JOIN LATERAL (SELECT COALESCE(SUM(remaining), 0) total FROM credits_creditgrant
            WHERE account_id = a.organization_id) g
        CROSS JOIN LATERAL (SELECT COALESCE(SUM(amount_left), 0) total FROM credits_uncoveredcharge
            WHERE account_id = a.organization_id) u
        CROSS JOIN LATERAL (SELECT COALESCE(SUM(-amount), 0) total FROM credits_creditentry
            WHERE account_id = a.organization_id AND sequence > a.burned_sequence AND amount < 0
            AND kind NOT IN ('expiry', 'void')) n
        WHERE a.balance <> g.total - u.total - n.total OR (a.balance >= 0 AND u.total <> 0)""",
    ),
    (
        "the remainder of each grant follows from what was burned of it",
        """SELECT g.account_id, format('grant %s: left %s, burned %s of %s', g.id, g.remaining, b.total, g.amount)
        FROM credits_creditgrant g CROSS JOIN LATERAL (
            SELECT COALESCE(SUM(amount), 0) total FROM credits_grantburn WHERE grant_id = g.id) b
        WHERE g.is_posted AND g.remaining <> g.amount - b.total""",
    ),
    (
        "each charge is paid by grants or waits for one",
        """SELECT e.account_id, format('entry %s: %s, burned %s, unpaid %s, given back %s', e.sequence, e.amount,
            COALESCE(b.total, 0), COALESCE(u.amount_left, 0), COALESCE(r.total, 0))
        FROM credits_creditentry e JOIN credits_creditaccount a ON a.organization_id = e.account_id
        LEFT JOIN (SELECT entry_id, SUM(amount) total FROM credits_grantburn GROUP BY entry_id) b ON b.entry_id = e.id
        LEFT JOIN credits_uncoveredcharge u ON u.entry_id = e.id
        LEFT JOIN (SELECT c.reversal_of_id, SUM(c.amount) total, SUM(c.burned) burned FROM (
            SELECT x.reversal_of_id, x.amount, (SELECT COALESCE(SUM(y.amount), 0) FROM credits_grantburn y
                WHERE y.entry_id = x.id) burned
            FROM credits_creditentry x WHERE x.reversal_of_id IS NOT NULL) c GROUP BY c.reversal_of_id) r
            ON r.reversal_of_id = e.id
        WHERE e.amount < 0 AND COALESCE(b.total, 0) + COALESCE(r.burned, 0) + COALESCE(u.amount_left, 0)
            <> CASE WHEN e.kind NOT IN ('expiry', 'void') AND e.sequence > a.burned_sequence THEN 0
                ELSE -e.amount - COALESCE(r.total, 0) END""",
    ),
    (
        "nothing is given back beyond its charge",
        """SELECT e.account_id, format('entry %s: %s given back of %s, and %s free of %s', e.sequence,
            SUM(r.amount), -e.amount, SUM(r.free_quantity), e.free_quantity)
        FROM credits_creditentry r JOIN credits_creditentry e ON e.id = r.reversal_of_id
        WHERE r.kind = 'reversal' GROUP BY e.id, e.account_id, e.sequence, e.amount, e.free_quantity
        HAVING SUM(r.amount) > -e.amount OR SUM(r.free_quantity) > e.free_quantity
            OR bool_or(r.account_id <> e.account_id)""",
    ),
    (
        "what was used of a free quantity follows from the entries and the open holds",
        """SELECT COALESCE(q.account_id, x.account_id), format('%s in %s: %s used, %s in entries and holds',
            COALESCE(q.operation, x.operation), COALESCE(q.month, x.month), COALESCE(q.used, 0), COALESCE(x.used, 0))
        FROM credits_freequantity q FULL JOIN (
            SELECT f.account_id, f.product_id, f.operation, f.month, SUM(f.used) used FROM (
                SELECT e.account_id, e.product_id, e.operation,
                    COALESCE(e.free_month, date_trunc('month', e.recorded_at AT TIME ZONE 'UTC')::date) AS month,
                    CASE WHEN e.kind = 'reversal' THEN -e.free_quantity ELSE e.free_quantity END AS used
                FROM credits_creditentry e WHERE e.free_quantity > 0
                UNION ALL
                SELECT h.account_id, h.product_id, h.operation, h.free_month, h.free_quantity
                FROM credits_hold h WHERE h.status = 'open' AND h.free_quantity > 0) f
            GROUP BY 1, 2, 3, 4) x ON x.account_id = q.account_id AND x.product_id = q.product_id
            AND x.operation = q.operation AND x.month = q.month
        WHERE COALESCE(q.used, 0) <> COALESCE(x.used, 0)""",
    ),
    (
        "no key is charged twice",
        """SELECT MIN(account_id::text)::uuid, format('key %s: %s entries', idempotency_key, COUNT(*))
        FROM credits_creditentry WHERE idempotency_key <> '' AND product_id IS NOT NULL
        AND kind IN ('consumption', 'capture')
        GROUP BY product_id, idempotency_key HAVING COUNT(*) > 1""",
    ),
    (
        "nothing is charged for free, internal or non-billable usage",
        """SELECT account_id, format('entry %s: %s for %s', sequence, amount, category) FROM credits_creditentry
        WHERE kind IN ('consumption', 'capture') AND amount <> 0 AND (category <> 'regular' OR NOT is_billable)""",
    ),
    (
        "no balance is below its floor",
        """SELECT organization_id, format('balance %s, held %s, floor %s', balance, held, floor)
        FROM credits_creditaccount WHERE balance - held < floor""",
    ),
)


# The rules' own tables, as one account sees them: within a statement these hide the tables of the same names.
_OF_ACCOUNT = """
    WITH credits_creditaccount AS NOT MATERIALIZED (
        SELECT * FROM credits_creditaccount WHERE organization_id = <account>),
    credits_creditentry AS NOT MATERIALIZED (SELECT * FROM credits_creditentry WHERE account_id = <account>),
    credits_hold AS NOT MATERIALIZED (SELECT * FROM credits_hold WHERE account_id = <account>),
    credits_creditgrant AS NOT MATERIALIZED (SELECT * FROM credits_creditgrant WHERE account_id = <account>),
    credits_uncoveredcharge AS NOT MATERIALIZED (SELECT * FROM credits_uncoveredcharge WHERE account_id = <account>),
    credits_freequantity AS NOT MATERIALIZED (SELECT * FROM credits_freequantity WHERE account_id = <account>),
    credits_grantburn AS NOT MATERIALIZED (SELECT burn.* FROM credits_grantburn AS burn
        JOIN credits_creditgrant AS burned ON burned.id = burn.grant_id)
"""


def ledger_faults(account_id: UUID | None = None) -> Iterator[str]:
    """What is wrong with the ledger, or with one account, in words; nothing when it is sound.

    All read in one snapshot, some at a time.
    """
    query = " UNION ALL ".join(
        f"SELECT '{name}', t.* FROM ({sql}) AS t(who, what)"  # noqa: S608 - our own constants
        for name, sql in _CHECKS
    )
    if account_id is not None:
        # Not a parameter: the rules' own `format` would be taken for places of parameters.
        query = _OF_ACCOUNT.replace("<account>", f"'{UUID(str(account_id))}'::uuid") + query
    for name, who, what in statement_in_pieces(query, size=_FAULTS_AT_ONCE, longest=_LONGEST):
        yield f"account {who}: {name}: {what}"


def account_of(organization_id: UUID | None) -> CreditAccount | None:
    """The account, to read."""
    return CreditAccount.objects.filter(pk=organization_id).first() if organization_id else None


def left_to_reverse(entry: CreditEntry) -> tuple[int, int]:
    """What of a charge can still be given back: micro-credits, and micro-units of free quantity."""
    before = entry.reversals.aggregate(amount=Coalesce(Sum("amount"), 0), free=Coalesce(Sum("free_quantity"), 0))
    return -entry.amount - before["amount"], entry.free_quantity - before["free"]


def payments_of(entry: CreditEntry) -> tuple[int, list[tuple[UUID, int]], list[tuple[UUID, int]]]:
    """What nobody has paid yet of a charge; who paid how much, in order; and what reversals gave back to whom."""
    debt = UncoveredCharge.objects.filter(pk=entry.pk).values_list("amount_left", flat=True).first()
    burns = GrantBurn.objects.order_by("pk").values_list("grant_id", "amount")
    back = [(grant_id, -amount) for grant_id, amount in burns.filter(entry__reversal_of=entry)]
    return debt or 0, list(burns.filter(entry=entry)), back


def entries_of(account_id: UUID) -> QuerySet[CreditEntry]:
    """The account's entries."""
    return CreditEntry.objects.filter(account_id=account_id)


def next_expiries(account_id: UUID, now: datetime, *, at_most: int = 5) -> list[CreditGrant]:
    """The grants that end next with something left."""
    grants = CreditGrant.objects.filter(account_id=account_id, is_spent=False, expires_at__gt=now)
    return list(grants.order_by("expires_at", "pk")[:at_most])
