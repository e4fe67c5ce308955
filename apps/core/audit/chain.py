"""The hash chain, pure: what an entry's hash covers, and what is wrong with a chain.

The hash of an entry is SHA-256 over the canonical form (`apps.core.canonical`) of all its fields but the hash itself,
with the hash of the entry before it among them. So a change to any field of any entry shows at that entry, and an
entry rewritten together with its own hash shows against the next entry, or against the chain's head.

What a chain can't show: somebody who rewrites the head too and every entry after the one they changed. Keep the head's
hash somewhere else (a database backup does) to see that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from apps.core.canonical import NotCanonicalError, Plain, canonical_hash

GENESIS_HASH = "0" * 64
# Part of what is hashed, so that a later way of hashing can stand beside this one.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class EntryContent:
    """Every fact of an entry that its hash covers. `before` and `after` are plain JSON values."""

    id: UUID
    organization_id: UUID | None
    sequence: int
    event: str
    actor_kind: str
    actor_id: str
    actor_label: str
    role: str
    authorization_source: str
    target_type: str
    target_id: str
    workspace_id: UUID | None
    reason: str
    before: Plain
    after: Plain
    request_id: str
    recorded_at: datetime
    previous_hash: str


def entry_hash(content: EntryContent) -> str:
    """The hash of an entry, as 64 hexadecimal digits."""
    covered = {name: getattr(content, name) for name in EntryContent.__dataclass_fields__}
    return canonical_hash({"format": FORMAT, **covered})


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as the database has it."""

    content: EntryContent
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """What the chain's head says: how many entries there are, and the hash of the last."""

    last_sequence: int
    last_hash: str


class Fault(Enum):
    """What can be wrong at one place of a chain, in words."""

    CHANGED = "it was changed after it was written: its hash does not fit its content"
    HASH_CHANGED = "its stored hash was changed: the next entry remembers another one, which fits its content"
    REPLACED = "it was written anew: it fits itself, but not what comes after it"
    MISSING = "it was deleted"
    MISPLACED = "it stands out of order: its number was used before"
    ADDED = "it was added behind the chain's end"
    NO_HEAD = "the chain has entries but its head was deleted"


@dataclass(frozen=True, slots=True)
class Break:
    """One place where a chain is broken: the numbers `first` to `last` of the entries concerned."""

    fault: Fault
    first: int
    last: int

    def __str__(self) -> str:
        words = str(self.fault.value)
        if self.fault is Fault.NO_HEAD:
            return words
        if self.first == self.last:
            return f"entry {self.first}: {words}"
        return f"entries {self.first} to {self.last}, each: {words}"


class ChainCheck:
    """Walks one chain in the order of its numbers and collects every break; goes on after one.

    Feed it with `follow`, entry by entry, then call `finish` with the head that was read before the entries.
    """

    def __init__(self) -> None:
        self.entries = 0
        self._sequence = 0
        self._accepted_hashes = {GENESIS_HASH}  # what the next entry may remember of this one
        self._own_fault: Fault | None = None
        self._stored_hash = GENESIS_HASH

    def follow(self, entry: StoredEntry) -> Iterator[Break]:
        """The breaks that show once `entry` is known."""
        self.entries += 1
        sequence = entry.content.sequence
        if sequence <= self._sequence:
            if sequence == self._sequence:
                # Which of the two is the right one can't be said here; the successor may remember either.
                self._accepted_hashes.add(entry.hash)
            yield Break(Fault.MISPLACED, sequence, sequence)
            return
        computed = _computed_hash(entry.content)
        is_sound = computed == entry.hash
        if sequence > self._sequence + 1:
            # Nothing can be said of the entry before the gap: who would vouch for it is gone.
            yield from self._judge_last(None)
            yield Break(Fault.MISSING, self._sequence + 1, sequence - 1)
        else:
            yield from self._judge_last(entry.content.previous_hash if is_sound else None)
        self._sequence, self._stored_hash = sequence, entry.hash
        self._accepted_hashes = {entry.hash} if is_sound else {entry.hash, computed}
        self._own_fault = None if is_sound else Fault.CHANGED

    def finish(self, head: Head) -> Iterator[Break]:
        """The breaks that show at the chain's end."""
        if head.last_sequence > self._sequence:
            yield from self._judge_last(None)
            yield Break(Fault.MISSING, self._sequence + 1, head.last_sequence)
        else:
            yield from self._judge_last(head.last_hash)

    def _judge_last(self, remembered: str | None) -> Iterator[Break]:
        """Judge the entry last followed, by the hash that its successor (or the head) remembers of it."""
        if self._own_fault is not None:
            is_hash_alone = remembered in self._accepted_hashes - {self._stored_hash}
            yield Break(Fault.HASH_CHANGED if is_hash_alone else self._own_fault, self._sequence, self._sequence)
        elif remembered is not None and remembered not in self._accepted_hashes:
            # The very first entry must remember the genesis hash; if it does not, it is itself what is wrong.
            place = max(self._sequence, 1)
            yield Break(Fault.REPLACED, place, place)


def _computed_hash(content: EntryContent) -> str:
    try:
        return entry_hash(content)
    except NotCanonicalError:
        return ""  # such a value was never written by us, so that its hash can't fit
