"""Entries by the places that they have in their accounts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.credits.models import CreditEntry

_OF_PARTS = """
    SELECT entry.*
    FROM unnest(%(accounts)s::uuid[], %(firsts)s::bigint[], %(lasts)s::bigint[]) AS part (account_id, first, last)
    JOIN credits_creditentry AS entry
        ON entry.account_id = part.account_id AND entry.sequence BETWEEN part.first AND part.last
    ORDER BY entry.account_id, entry.sequence
"""


def entries_of_parts(parts: Sequence[tuple[UUID, int, int]]) -> list[CreditEntry]:
    """The entries of each account from one place to another, both included."""
    accounts, firsts, lasts = (list(column) for column in zip(*parts, strict=True)) if parts else ([], [], [])
    return list(CreditEntry.objects.raw(_OF_PARTS, {"accounts": accounts, "firsts": firsts, "lasts": lasts}))
