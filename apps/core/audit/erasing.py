"""Erases texts that name a person from audit entries, so that the chain still proves the rest (spec 03, spec 14)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from django.db import transaction

from apps.core.audit.chain import (
    ERASED,
    PERSONAL,
    EntryContent,
    Erasure,
    below,
    digest_of,
    entry_hash,
    hash_with_digests,
    texts_of,
)
from apps.core.audit.services import audit_append, audit_chain_for_update
from apps.core.audit.vouching import TEXTS_ERASED, erasure_of, voucher
from apps.core.canonical import Plain
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import AuditTarget, OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.core.models.protection import updates_let_through

_SALT_BYTES = 16
# Whether a text at a place of an entry names the person.
NamesThem = Callable[[AuditEntry, str, str], bool]
# An entry that vouches for so many stays small enough to read.
MOST_AT_ONCE = 500


@transaction.atomic
def audit_texts_erase(
    context: ExecutionContext,
    *,
    user_id: UserId,
    organization_id: OrganizationId | None,
    entries: Sequence[UUID],
    names_them: NamesThem,
) -> int:
    """Erase the texts of these entries of one chain that `names_them(entry, place, text)`; how many entries had some.

    Takes at most `MOST_AT_ONCE` entries; appends one that vouches for them. Raises `ConflictError` for an entry that
    does not fit its hash: once erased, that could not be told any more.
    """
    audit_chain_for_update(organization_id)
    vouched = {}
    found = AuditEntry.objects.filter(pk__in=entries[:MOST_AT_ONCE], organization_id=organization_id)
    for entry in found.order_by("sequence"):
        places = _places(entry, names_them)
        if places:
            vouched[entry.sequence] = _erase(entry, places)
    if vouched:
        audit_append(
            context,
            TEXTS_ERASED,
            AuditTarget("user", user_id, organization_id),
            after={"entries": len(vouched), **voucher(organization_id, vouched)},
        )
    return len(vouched)


def is_named(entry: AuditEntry, names_them: NamesThem) -> bool:
    """Whether an erasure would find something in the entry."""
    return bool(_places(entry, names_them))


def _places(entry: AuditEntry, names_them: NamesThem) -> set[str]:
    return {place for place, text in _texts(entry) if text != ERASED and names_them(entry, place, text)}


def _erase(entry: AuditEntry, places: Collection[str]) -> str:
    """Write the entry without these texts; its hash by the digests."""
    content = _content(entry)
    before = erasure_of(entry)
    if before is None and entry_hash(content) != entry.hash:
        raise ConflictError(
            f"Audit entry {entry.sequence} of {entry.organization_id or 'the platform'} does not fit its hash, so that "
            "nothing can be erased from it. Run manage.py verify_audit, and find out who changed it, first."
        )
    known = before or Erasure({place: secrets.token_hex(_SALT_BYTES) for place, _ in _texts(entry)}, {})
    digests = {place: digest_of(known.salts[place], text) for place, text in _texts(entry) if place in places}
    kept = {place: salt for place, salt in known.salts.items() if place not in places}
    entry.erased = {"salts": kept, "digests": {**known.digests, **digests}}
    for name in PERSONAL:
        setattr(entry, name, _marked(getattr(entry, name), name, places))
    with updates_let_through(AuditEntry):
        entry.save(update_fields=[*PERSONAL, "erased"])
    return hash_with_digests(content, known)


def _content(entry: AuditEntry) -> EntryContent:
    return EntryContent(**{name: getattr(entry, name) for name in EntryContent.__dataclass_fields__})


def _texts(entry: AuditEntry) -> list[tuple[str, str]]:
    return [found for name in PERSONAL for found in texts_of(getattr(entry, name), name)]


def _marked(value: Plain, place: str, places: Collection[str]) -> Plain:
    """The value with the mark in the place of each of these texts."""
    match value:
        case str():
            return ERASED if place in places else value
        case list():
            return [_marked(inner, f"{place}/{number}", places) for number, inner in enumerate(value)]
        case dict():
            return {key: _marked(inner, below(place, key), places) for key, inner in value.items()}
    return value
