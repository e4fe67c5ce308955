"""Entries by the places that they have in their accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Min

from apps.credits.models import CreditEntry

_OF_PARTS = """
    SELECT entry.*
    FROM unnest(%(accounts)s::uuid[], %(firsts)s::bigint[], %(lasts)s::bigint[]) AS part (account_id, first, last)
    JOIN credits_creditentry AS entry
        ON entry.account_id = part.account_id AND entry.sequence BETWEEN part.first AND part.last
    ORDER BY entry.account_id, entry.sequence
"""
_GRANTS = _OF_PARTS.replace("ORDER BY", "WHERE entry.kind = 'grant'\n    ORDER BY")

_PEAKS = """
    SELECT part.account_id, MAX(entry.balance_after)
    FROM unnest(%(accounts)s::uuid[], %(firsts)s::bigint[], %(lasts)s::bigint[]) AS part (account_id, first, last)
    JOIN credits_creditentry AS entry
        ON entry.account_id = part.account_id AND entry.sequence BETWEEN part.first AND part.last
    GROUP BY part.account_id
"""


def entries_of_parts(parts: Sequence[tuple[UUID, int, int]]) -> list[CreditEntry]:
    """The entries of each account from one place to another, both included."""
    accounts, firsts, lasts = (list(column) for column in zip(*parts, strict=True)) if parts else ([], [], [])
    return list(CreditEntry.objects.raw(_OF_PARTS, {"accounts": accounts, "firsts": firsts, "lasts": lasts}))


def grants_of_parts(parts: Sequence[tuple[UUID, int, int]]) -> list[CreditEntry]:
    """The entries alone by which grants began to count."""
    accounts, firsts, lasts = (list(column) for column in zip(*parts, strict=True)) if parts else ([], [], [])
    found = CreditEntry.objects.raw(_GRANTS, {"accounts": accounts, "firsts": firsts, "lasts": lasts})
    return list(found.prefetch_related("grant"))


def first_places_since(moment: datetime) -> dict[UUID, int]:
    """Of each account with entries since then, the place of the first of them."""
    rows = CreditEntry.objects.filter(recorded_at__gte=moment).values_list("account_id")
    return dict(rows.annotate(Min("sequence")))


def peaks_of_parts(parts: Sequence[tuple[UUID, int, int]]) -> dict[UUID, int]:
    """The highest balance of each account after any of the entries from one place to another, both included."""
    accounts, firsts, lasts = (list(column) for column in zip(*parts, strict=True)) if parts else ([], [], [])
    with connection.cursor() as cursor:
        cursor.execute(_PEAKS, {"accounts": accounts, "firsts": firsts, "lasts": lasts})
        return {account_id: int(peak) for account_id, peak in cursor.fetchall()}
