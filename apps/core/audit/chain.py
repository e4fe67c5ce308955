"""The hash chain, pure: what an entry's hash covers, and what is wrong with a chain.

The hash of an entry is SHA-256 over the canonical form (`apps.core.canonical`) of all its fields but the hash itself,
with the hash of the entry before it among them. So a change to any field of any entry shows at that entry, and an
entry rewritten together with its own hash shows against the next entry, or against the chain's head.

What a chain can't show: somebody who rewrites the head too and every entry after the one they changed. Keep the head's
hash somewhere else (a database backup does) to see that.

Texts that name a person can be erased (spec 03, History). The entry then has a second form, whose hash covers the
salted digest of each text in the text's place, and an entry behind it in the chain vouches for that hash. Links and
hashes stay as they were written, so that the heads that were witnessed before are the heads still.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from apps.core.canonical import NotCanonicalError, Plain, canonical_hash

# What stands where a text was erased, and nothing else may stand there.
ERASED = "[erased]"

GENESIS_HASH = "0" * 64
# Part of what is hashed, so that a later way of hashing can stand beside this one.
FORMAT = 1
FORMAT_WITH_DIGESTS = 2
PERSONAL = ("actor_label", "reason", "before", "after")


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
class Erasure:
    """By place, such as `after/name`: the salt of each text that stayed, and the digest of each that was erased."""

    salts: Mapping[str, str]
    digests: Mapping[str, str]


def hash_with_digests(content: EntryContent, erasure: Erasure) -> str:
    """The entry's hash in the form that outlives its texts: it is the same before and after one is erased.

    Raises `NotCanonicalError` where an erased place has another text, or a text neither salt nor digest.
    """
    covered = {name: getattr(content, name) for name in EntryContent.__dataclass_fields__}
    covered |= {name: _with_digests(covered[name], name, erasure) for name in PERSONAL}
    return canonical_hash({"format": FORMAT_WITH_DIGESTS, **covered})


def texts_of(value: Plain, place: str) -> Iterator[tuple[str, str]]:
    """Each text in a value, with its place."""
    match value:
        case str():
            yield place, value
        case list():
            for number, inner in enumerate(value):
                yield from texts_of(inner, f"{place}/{number}")
        case dict():
            for key, inner in value.items():
                yield from texts_of(inner, below(place, key))


def digest_of(salt: str, text: str) -> str:
    """SHA-256 of salt and text. Once the salt is gone, no guess of the text can be tried."""
    return hashlib.sha256(bytes.fromhex(salt) + text.encode()).hexdigest()


def _with_digests(value: Plain, place: str, erasure: Erasure) -> Plain:
    match value:
        case str() if place in erasure.digests and value == ERASED:
            return erasure.digests[place]
        case str() if place in erasure.salts:
            return digest_of(erasure.salts[place], value)
        case str():
            raise NotCanonicalError(f"{place} is no text of this entry.")
        case list():
            return [_with_digests(inner, f"{place}/{number}", erasure) for number, inner in enumerate(value)]
        case dict():
            return {key: _with_digests(inner, below(place, key), erasure) for key, inner in value.items()}
    return value


def below(place: str, key: str) -> str:
    """The place of a mapping's value."""
    return f"{place}/{key.replace('~', '~0').replace('/', '~1')}"


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as the database has it. `vouched` are the hashes of earlier entries, by number, that it vouches for."""

    content: EntryContent
    hash: str
    erasure: Erasure | None = None
    vouched: Mapping[int, str] | None = None


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
    ERASED_UNVOUCHED = "texts were taken out of it, or it was changed then: no entry behind it vouches for what is left"
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
        self._erased: dict[int, str] = {}  # entries with erased texts that nobody has vouched for yet

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
        if entry.erasure is not None:
            self._erased[sequence] = _digested_hash(entry.content, entry.erasure)
        computed = entry.hash if entry.erasure is not None else _computed_hash(entry.content)
        is_sound = computed == entry.hash
        if is_sound and entry.vouched:
            self.vouch(entry.vouched)
        if sequence > self._sequence + 1:
            # Nothing can be said of the entry before the gap: who would vouch for it is gone.
            yield from self._judge_last(None)
            yield Break(Fault.MISSING, self._sequence + 1, sequence - 1)
        else:
            yield from self._judge_last(entry.content.previous_hash if is_sound else None)
        self._sequence, self._stored_hash = sequence, entry.hash
        self._accepted_hashes = {entry.hash} if is_sound else {entry.hash, computed}
        self._own_fault = None if is_sound else Fault.CHANGED

    def vouch(self, vouched: Mapping[int, str]) -> None:
        """An entry says which hashes those before it have by their digests."""
        for sequence, known in vouched.items():
            if self._erased.get(sequence) == known:
                del self._erased[sequence]

    def finish(self, head: Head) -> Iterator[Break]:
        """The breaks that show at the chain's end."""
        for sequence in sorted(self._erased):
            yield Break(Fault.ERASED_UNVOUCHED, sequence, sequence)
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


def _digested_hash(content: EntryContent, erasure: Erasure) -> str:
    try:
        return hash_with_digests(content, erasure)
    except (NotCanonicalError, ValueError):
        return ""


def _computed_hash(content: EntryContent) -> str:
    try:
        return entry_hash(content)
    except NotCanonicalError:
        return ""  # such a value was never written by us, so that its hash can't fit
