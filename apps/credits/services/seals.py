"""Seals each account's new entries onto its chain, from the last sealed one on (spec 05)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.core.pieces import in_one_transaction, in_pieces
from apps.credits.models import CreditAccount, EntrySeal
from apps.credits.selectors.seals import MARK, row_text, sealed_columns

_ACCOUNTS_AT_ONCE, _ENTRIES_A_SEAL = 100, 10_000
_SEAL = """
INSERT INTO credits_entryseal (account_id, first_sequence, sequence, columns, hash, marks, sealed_at)
SELECT m.account_id, min(m.sequence), max(m.sequence), %(columns)s,
    sha256(m.before || convert_to(%(columns)s, 'UTF8') || string_agg(m.mark, ''::bytea ORDER BY m.sequence)),
    string_agg(substr(m.mark, 1, {mark}), ''::bytea ORDER BY m.sequence), %(now)s
FROM (
    SELECT a.organization_id AS account_id, COALESCE(s.hash, ''::bytea) AS before, e.sequence,
        sha256(convert_to({row}, 'UTF8')) AS mark
    FROM credits_creditaccount a
    LEFT JOIN LATERAL (
        SELECT x.hash, x.sequence FROM credits_entryseal x WHERE x.account_id = a.organization_id
        ORDER BY x.sequence DESC LIMIT 1
    ) s ON true
    JOIN credits_creditentry e ON e.account_id = a.organization_id
        AND e.sequence > COALESCE(s.sequence, 0) AND e.sequence <= COALESCE(s.sequence, 0) + %(most)s
    WHERE a.organization_id = ANY (%(accounts)s)
) m GROUP BY m.account_id, m.before
"""


@dataclass(frozen=True, slots=True)
class Heads:
    """All chains as they end now: how many accounts, and one hash over the hashes of their last seals."""

    accounts: int
    digest: str


def entries_seal(now: datetime) -> int:
    """Seal whatever is not sealed yet; how many seals that made."""
    made = 0
    while found := _seal_round(now):
        made += found
    return made


def _seal_round(now: datetime) -> int:
    made = 0
    piece: list[UUID] = []
    for account in in_pieces(_unsealed().only("pk"), size=_ACCOUNTS_AT_ONCE):
        piece.append(account.pk)
        if len(piece) == _ACCOUNTS_AT_ONCE:
            made += _seal(piece, now)
            piece = []
    return made + (_seal(piece, now) if piece else 0)


def _unsealed() -> QuerySet[CreditAccount]:
    last = EntrySeal.objects.filter(account_id=OuterRef("pk")).order_by("-sequence").values("sequence")[:1]
    return CreditAccount.objects.alias(sealed=Coalesce(Subquery(last), 0)).filter(last_sequence__gt=F("sealed"))


@transaction.atomic
def _seal(accounts: list[UUID], now: datetime) -> int:
    columns = sealed_columns()
    values: dict[str, Any] = {"columns": columns, "now": now, "most": _ENTRIES_A_SEAL, "accounts": accounts}
    with connection.cursor() as cursor:
        cursor.execute(_SEAL.format(mark=MARK, row=row_text(columns)), values)
        return int(cursor.rowcount)


def heads() -> Heads:
    """What the log keeps of all chains, where the owner of the database has no say."""
    whole, count = hashlib.sha256(), 0
    last = EntrySeal.objects.order_by("account_id", "-sequence").distinct("account_id")
    rows = in_one_transaction(last.values_list("account_id", "sequence", "hash"), size=2_000)
    for account_id, sequence, found in rows:
        whole.update(f"{account_id} {sequence} ".encode() + bytes(found))
        count += 1
    return Heads(count, whole.hexdigest())
