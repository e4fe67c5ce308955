"""Seals read back: which entries are not what they were when they were sealed (spec 05, Account, grants, entries)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.db.models import Func, Q
from django.db.models.functions import Cast, Mod

from apps.core.canonical import canonical_bytes
from apps.core.crypto import SealError, authentication_code
from apps.core.pieces import in_pieces
from apps.credits.models import CreditEntry, EntrySeal, ErasedEntry

# Bytes of an entry's mark.
MARK = 4
# The older chain is verified in so many nights, a part of the accounts each.
NIGHTS = 28
_SEALS_AT_ONCE = 100
_PURPOSE = "ledger erasure"
_RECENT = timedelta(days=2)
_VERIFY = """
SELECT s.account_id, s.first_sequence, s.sequence, s.marks, c.marks,
    s.first_sequence = 1 OR p.id IS NOT NULL,
    s.hash = sha256(COALESCE(p.hash, ''::bytea) || convert_to(s.columns, 'UTF8') || COALESCE(c.whole, ''::bytea))
FROM credits_entryseal s
LEFT JOIN credits_entryseal p ON p.account_id = s.account_id AND p.sequence = s.first_sequence - 1
CROSS JOIN LATERAL (
    SELECT string_agg(substr(m.mark, 1, {mark}), ''::bytea ORDER BY m.sequence) AS marks,
        string_agg(m.mark, ''::bytea ORDER BY m.sequence) AS whole
    FROM (SELECT r.sequence, COALESCE(x.sealed, r.mark) AS mark
        FROM (SELECT e.id, e.sequence, sha256(convert_to({row}, 'UTF8')) AS mark FROM credits_creditentry e
            WHERE e.account_id = s.account_id AND e.sequence BETWEEN s.first_sequence AND s.sequence) r
        -- What was kept of an entry whose texts were erased counts as what was sealed.
        LEFT JOIN credits_erasedentry x ON x.entry_id = r.id AND x.kept = r.mark) m
) c
WHERE s.id = ANY (%s) ORDER BY s.account_id, s.sequence
"""


def sealed_columns() -> str:
    """The columns of an entry that are hashed now: all of them, in the order of their names."""
    return ",".join(sorted(field.column for field in CreditEntry._meta.concrete_fields))


def row_text(columns: str) -> str:
    """SQL for the text of an entry `e` that is hashed, the same whatever the session's settings."""
    kinds = {field.column: field for field in CreditEntry._meta.concrete_fields}
    return f"jsonb_build_array({', '.join(_column(kinds[name]) for name in columns.split(','))})::text"


def _column(field: models.Field[Any, Any]) -> str:
    name = connection.ops.quote_name(field.column)
    return (
        f"(extract(epoch FROM e.{name}) * 1000000)::bigint" if isinstance(field, models.DateTimeField) else f"e.{name}"
    )


def seal_faults(*, night: datetime | None = None, account_id: UUID | None = None) -> Iterator[str]:
    """What is wrong with sealed entries, in words: all of them, or what that night's turn is and what is recent."""
    seals = EntrySeal.objects.all() if account_id is None else EntrySeal.objects.filter(account=account_id)
    if night is not None:
        turn, number = night.toordinal() % NIGHTS, Func(Cast("account_id", models.TextField()), function="hashtext")
        seals = seals.alias(place=Mod(number, NIGHTS, output_field=models.IntegerField()))
        # The remainder of a negative number is negative.
        seals = seals.filter(Q(place__in=[turn, turn - NIGHTS]) | Q(sealed_at__gte=night - _RECENT))
    yield from _forged_erasures(account_id)
    last, piece = 0, list(seals.order_by("pk").values_list("pk", "columns")[:_SEALS_AT_ONCE])
    while piece:
        for columns in sorted({columns for _, columns in piece}):
            yield from _faults_of([pk for pk, of_seal in piece if of_seal == columns], columns)
        last = piece[-1][0]
        piece = list(seals.filter(pk__gt=last).order_by("pk").values_list("pk", "columns")[:_SEALS_AT_ONCE])


def erasure_code(entry_id: UUID, sealed: bytes, kept: bytes, *, key_id: str) -> str:
    """By what we say that we erased texts of the entry. Raises `SealError` where the key is not there."""
    signed = canonical_bytes({"entry": entry_id, "sealed": sealed.hex(), "kept": kept.hex()})
    return authentication_code(signed, purpose=_PURPOSE, key_id=key_id)


def _forged_erasures(account_id: UUID | None) -> Iterator[str]:
    rows = ErasedEntry.objects.select_related("entry")
    for row in in_pieces(rows if account_id is None else rows.filter(entry__account=account_id)):
        try:
            is_ours = row.code == erasure_code(row.entry_id, bytes(row.sealed), bytes(row.kept), key_id=row.key_id)
        except SealError:
            is_ours = False
        if not is_ours:
            yield (
                f"account {row.entry.account_id}: sealed entries: that texts of entry {row.entry.sequence} were erased "
                "is not signed with a key of CREDENTIAL_KEYS"
            )


def _faults_of(ids: list[int], columns: str) -> Iterator[str]:
    unknown = set(columns.split(",")) - set(sealed_columns().split(","))
    if unknown:
        yield f"seals {ids[0]} to {ids[-1]}: they name columns that no entry has: {', '.join(sorted(unknown))}"
        return
    with connection.cursor() as cursor:
        cursor.execute(_VERIFY.format(mark=MARK, row=row_text(columns)), [ids])
        rows = cursor.fetchall()
    for row in rows:
        yield from _faults_of_row(*row)


def _faults_of_row(
    account_id: UUID, first: int, last: int, sealed: bytes, found: bytes | None, is_chained: bool, fits: bool
) -> Iterator[str]:
    sealed, found = bytes(sealed), bytes(found or b"")
    where = f"account {account_id}: sealed entries"
    if len(found) != len(sealed):
        yield f"{where}: {len(found) // MARK} stand between {first} and {last}, {len(sealed) // MARK} were sealed"
        return
    changed = [
        first + place // MARK
        for place in range(0, len(sealed), MARK)
        if sealed[place : place + MARK] != found[place : place + MARK]
    ]
    for sequence in changed:
        yield f"{where}: entry {sequence} was changed after it was sealed"
    if not is_chained:
        yield f"{where}: the seal before {first} is missing"
    elif not (fits or changed):
        yield f"{where}: the seal of {first} to {last} does not fit its entries, or the seal before"
