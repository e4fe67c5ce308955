"""Recomputes the chains from what the database has, without holding a chain in memory (spec 03, History)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import BigIntegerField, Subquery
from django.db.models.functions import Coalesce

from apps.core.audit.chain import Break, ChainCheck, EntryContent, Fault, Head, StoredEntry
from apps.core.audit.vouching import TEXTS_ERASED, erasure_of, vouched_by
from apps.core.audit.witness import ChainHead
from apps.core.ids import OrganizationId
from apps.core.models import AuditChain, AuditEntry
from apps.core.pieces import in_pieces

_FETCHED_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What the verification of one chain found. `breaks` are in the order of the chain; none means sound."""

    organization_id: UUID | None
    entries: int
    breaks: tuple[Break, ...]
    head: ChainHead | None = None
    """The head that the chain was verified up to."""

    @property
    def is_sound(self) -> bool:
        return not self.breaks

    def __str__(self) -> str:
        name = f"organization {self.organization_id}" if self.organization_id else "the platform"
        if self.is_sound:
            return f"{name}: {self.entries} entries, sound"
        return f"{name}: {len(self.breaks)} breaks in {self.entries} entries; the first broken is {self.breaks[0]}"


def verify_audit(organization_id: OrganizationId | None = None) -> Iterator[ChainReport]:
    """One report for the organization's chain, or for each chain there is. Entries may be appended meanwhile."""
    for chain in [organization_id] if organization_id else _chains():
        yield _verify_chain(chain)


def _chains() -> list[UUID | None]:
    """Every chain that has a head or an entry: a deleted head must not hide its entries."""
    heads = AuditChain.objects.values_list("organization_id", flat=True)
    owners = AuditEntry.objects.order_by().values_list("organization_id", flat=True).distinct()
    return sorted({*heads, *owners}, key=lambda chain: str(chain or ""))


def _verify_chain(organization_id: UUID | None) -> ChainReport:
    # The head is read first: what is appended afterwards lies beyond it and is looked at below.
    head = AuditChain.objects.filter(organization_id=organization_id).first()
    entries = AuditEntry.objects.filter(organization_id=organization_id)
    if head is None:
        count = entries.count()
        return ChainReport(organization_id, count, (Break(Fault.NO_HEAD, 1, count),) if count else ())
    check = ChainCheck()
    within = entries.filter(sequence__lte=head.last_sequence)
    read = in_pieces(within, key=["sequence", "id"], size=_FETCHED_AT_ONCE)
    breaks = [found for entry in read for found in check.follow(_stored(entry))]
    # An erasure meanwhile: its voucher stands beyond the head.
    for later in entries.filter(sequence__gt=head.last_sequence, event=TEXTS_ERASED.name):
        check.vouch(vouched_by(later) or {})
    breaks.extend(check.finish(Head(head.last_sequence, head.last_hash)))
    breaks.extend(_beyond_the_head(organization_id))
    verified = ChainHead(organization_id, head.last_sequence, head.last_hash)
    return ChainReport(organization_id, check.entries, tuple(breaks), verified)


def _beyond_the_head(organization_id: UUID | None) -> list[Break]:
    """Entries that the head knows nothing of. One statement: an append meanwhile is seen whole or not at all."""
    head = AuditChain.objects.filter(organization_id=organization_id).values("last_sequence")[:1]
    beyond = AuditEntry.objects.filter(organization_id=organization_id).filter(
        sequence__gt=Coalesce(Subquery(head, output_field=BigIntegerField()), 0)
    )
    return [
        Break(Fault.ADDED, number, number) for number in beyond.order_by("sequence").values_list("sequence", flat=True)
    ]


def _stored(entry: AuditEntry) -> StoredEntry:
    values = {name: getattr(entry, name) for name in EntryContent.__dataclass_fields__}
    return StoredEntry(EntryContent(**values), entry.hash, erasure_of(entry), vouched_by(entry))
