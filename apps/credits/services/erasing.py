"""Erases texts that name a person from entries of the ledger; the seals still prove the rest (spec 14, Leaving)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connection, transaction

from apps.core import clock
from apps.core.crypto import newest_key_id
from apps.core.models.protection import updates_let_through
from apps.credits.models import CreditEntry, EntrySeal, ErasedEntry
from apps.credits.selectors.seals import erasure_code, row_text

ERASED_TEXTS = ("reason", "actor_label")


@transaction.atomic
def entry_texts_erase(*, entries: Sequence[UUID], redact: Callable[[str], str]) -> int:
    """Write the reasons and labels of these entries as `redact` leaves them; how many entries that changed.

    Amounts, accounts and ids stay. An entry that was sealed gets a row that says, signed, what it is now.
    """
    with connection.cursor() as cursor:
        # A seal that is being written has read the texts; wait for it, and let none begin. Some milliseconds.
        cursor.execute("LOCK TABLE credits_entryseal IN SHARE ROW EXCLUSIVE MODE")
    changed = 0
    for entry in CreditEntry.objects.filter(pk__in=entries).order_by("pk"):
        texts = {name: redact(getattr(entry, name)) for name in ERASED_TEXTS}
        if any(getattr(entry, name) != text for name, text in texts.items()):
            _write(entry, texts)
            changed += 1
    return changed


def _write(entry: CreditEntry, texts: dict[str, str]) -> None:
    seal = EntrySeal.objects.filter(
        account=entry.account_id, first_sequence__lte=entry.sequence, sequence__gte=entry.sequence
    ).first()
    before = _mark(entry, seal.columns) if seal else b""
    for name, text in texts.items():
        setattr(entry, name, text)
    with updates_let_through(CreditEntry):
        entry.save(update_fields=ERASED_TEXTS)
    if seal is None:
        return
    earlier = ErasedEntry.objects.filter(entry=entry, kept=before).first()
    sealed, kept, key_id = bytes(earlier.sealed) if earlier else before, _mark(entry, seal.columns), newest_key_id()
    ErasedEntry.objects.create(
        entry=entry,
        sealed=sealed,
        kept=kept,
        code=erasure_code(entry.pk, sealed, kept, key_id=key_id),
        key_id=key_id,
        erased_at=clock.now(),
    )


def _mark(entry: CreditEntry, columns: str) -> bytes:
    """SHA-256 of the entry as the database has it, by the columns that its seal names."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT sha256(convert_to({row_text(columns)}, 'UTF8')) FROM credits_creditentry e WHERE e.id = %s",  # noqa: S608
            [entry.pk],
        )
        return bytes(cursor.fetchone()[0])
