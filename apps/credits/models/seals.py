"""Seals: the hash chain of each account's entries, written by night (spec 05, Account, grants, entries)."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from apps.core.models.protection import append_only
from apps.credits.models.accounts import CreditAccount
from apps.credits.models.ledger import CreditEntry


class EntrySeal(models.Model):
    """The entries of an account from `first_sequence` to `sequence`, sealed onto the seal before. Never changed.

    `hash` is SHA-256 over the hash of the seal before, `columns` and the hash of each entry; `marks` holds the first
    four bytes of each entry's hash, to tell which one was changed. `columns` names what was hashed of an entry.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="+", db_index=False)
    first_sequence = models.BigIntegerField()
    sequence = models.BigIntegerField()
    columns = models.TextField()
    hash = models.BinaryField(max_length=32)
    marks = models.BinaryField()
    sealed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "sequence"], name="entry_seal_place_unique"),
            models.CheckConstraint(
                condition=Q(first_sequence__gt=0, sequence__gte=F("first_sequence")), name="entry_seal_of_entries"
            ),
        ]
        indexes: ClassVar = [BrinIndex(fields=["sealed_at"], name="entry_seal_sealed")]
        triggers: ClassVar = append_only("entry_seal")

    def __str__(self) -> str:
        return f"{self.first_sequence} to {self.sequence} of {self.account_id}"


class ErasedEntry(models.Model):
    """An entry whose texts about a person were erased after it was sealed (spec 14, Leaving). Never changed.

    `sealed` is SHA-256 of the entry as it was sealed, `kept` of what was kept of it; `code`, by a key that follows from
    CREDENTIAL_KEYS, says that it was us. An entry has one for each time that texts of it were erased.
    """

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(CreditEntry, on_delete=models.PROTECT, related_name="+")
    sealed = models.BinaryField(max_length=32)
    kept = models.BinaryField(max_length=32)
    code = models.CharField(max_length=64)
    key_id = models.CharField(max_length=64)
    erased_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "erased entries"
        triggers: ClassVar = append_only("erased_entry")

    def __str__(self) -> str:
        return f"texts of {self.entry_id}"
