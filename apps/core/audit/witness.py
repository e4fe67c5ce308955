"""Witnesses of the audit log: the heads of its chains, signed and kept outside the database (spec 03, History).

A chain shows what was changed inside it. Whoever owns the database can also cut its tail, or rewrite its end together
with the head, and leave a sound chain behind. Against that stands a witness in the logs (and wherever else it is put):
"at this moment the chain of this organization had so many entries, and this was the hash of the last". An entry's hash
covers all entries before it, so that a sound chain that still has this entry with this hash is the chain of then.

A witness is signed with a key that follows from CREDENTIAL_KEYS, which the database does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.canonical import NotCanonicalError, canonical_bytes
from apps.core.crypto import SealError, authentication_code, newest_key_id
from apps.core.models import AuditEntry

EVENT = "audit_witness"
HEADS_A_LINE = 100
_PURPOSE = "audit witness"
_SIGNED = ("witnessed_at", "part", "parts", "heads", "key_id")
PLATFORM = "platform"


class WitnessError(Exception):
    """A text is no witness of ours; the sentence says why."""


@dataclass(frozen=True, slots=True)
class ChainHead:
    """How many entries a chain had, and the hash of the last. Without an organization: the platform's chain."""

    organization_id: UUID | None
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A witness saw what the log no longer has."""

    head: ChainHead
    at: str
    found: str

    def __str__(self) -> str:
        name = f"organization {self.head.organization_id}" if self.head.organization_id else "the platform"
        return f"{name}: at {self.at} entry {self.head.sequence} was the last; {self.found}"


def witness_lines(heads: Iterable[ChainHead], at: datetime) -> list[dict[str, Any]]:
    """The signed lines that witness these heads, each with some of them. Raises `SealError` without a key."""
    rows = [[str(head.organization_id or PLATFORM), head.sequence, head.hash] for head in heads]
    pieces = [rows[start : start + HEADS_A_LINE] for start in range(0, len(rows), HEADS_A_LINE)] or [[]]
    lines = []
    for part, piece in enumerate(pieces, start=1):
        line: dict[str, Any] = {
            "witnessed_at": at.isoformat(),
            "part": part,
            "parts": len(pieces),
            "heads": piece,
            "key_id": newest_key_id(),
        }
        lines.append({**line, "mac": _code(line)})
    return lines


def witnessed_heads(lines: Iterable[str]) -> Iterator[tuple[ChainHead, str]]:
    """Each head in the witnesses among these lines of a log, with the moment of its witness.

    Raises `WitnessError` for a witness that was changed or is under a key we don't have, and where a part is missing.
    """
    parts: dict[str, tuple[int, set[int]]] = {}
    for number, text in enumerate(lines, start=1):
        line = _parsed(text, number)
        if line is None:
            continue
        for head in line["heads"]:
            yield _head(head, number), str(line["witnessed_at"])
        parts.setdefault(line["witnessed_at"], (line["parts"], set()))[1].add(line["part"])
    if not parts:
        raise WitnessError(f"There is no witness among these lines; a line of it has the event {EVENT!r}.")
    for at, (count, found) in parts.items():
        if found != set(range(1, count + 1)):
            raise WitnessError(f"The witness of {at} is incomplete: it has {count} lines, and {len(found)} are here.")


def contradiction(head: ChainHead, at: str) -> Contradiction | None:
    """What the log says against this head; None where it still has it."""
    entries = AuditEntry.objects.filter(organization_id=head.organization_id)
    found = entries.filter(sequence=head.sequence).values_list("hash", flat=True).first()
    if found == head.hash or (found is None and head.sequence == 0):
        return None
    if found is not None:
        return Contradiction(head, at, "now another entry has this number: the chain was rewritten")
    last = entries.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    return Contradiction(head, at, f"now the chain ends with entry {last}: its tail was cut off")


def _parsed(text: str, number: int) -> dict[str, Any] | None:
    """The witness in this line of a log; None for a line of something else."""
    start = text.find("{")
    if start < 0 or EVENT not in text:
        return None
    try:
        line = json.loads(text[start:])
    except ValueError:
        raise WitnessError(f"Line {number}: this witness can't be read; its JSON is broken.") from None
    if not isinstance(line, dict) or line.get("event") != EVENT:
        return None
    if not all(name in line for name in (*_SIGNED, "mac")):
        raise WitnessError(f"Line {number}: this witness lacks one of {', '.join((*_SIGNED, 'mac'))}.")
    try:
        is_ours = line["mac"] == _code(line)
    except (SealError, NotCanonicalError) as error:
        raise WitnessError(f"Line {number}: {error}") from None
    if not is_ours:
        raise WitnessError(f"Line {number}: this witness was changed, or is of another installation.")
    return line


def _head(row: Any, number: int) -> ChainHead:
    try:
        owner, sequence, code = row
        return ChainHead(None if owner == PLATFORM else UUID(owner), int(sequence), str(code))
    except (ValueError, TypeError, AttributeError):
        raise WitnessError(f"Line {number}: this is no head of a chain: {row!r}.") from None


def _code(line: Mapping[str, Any]) -> str:
    signed = canonical_bytes({name: line[name] for name in _SIGNED})
    return authentication_code(signed, purpose=_PURPOSE, key_id=str(line["key_id"]))
