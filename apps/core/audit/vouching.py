"""Vouchers of erased texts: entries that say which hashes earlier entries have by their digests (spec 03, History).

A voucher stands in the chain, behind the entries that it vouches for, and is signed with a key that follows from
CREDENTIAL_KEYS. So whoever owns the database, and not the keys, can't pass a changed entry off as an erased one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.core.audit.chain import Erasure
from apps.core.audit_events import audit_event
from apps.core.canonical import NotCanonicalError, canonical_bytes
from apps.core.crypto import SealError, authentication_code, newest_key_id
from apps.core.models import AuditEntry

TEXTS_ERASED = audit_event("audit.texts_erased", "Texts of audit entries erased")
_PURPOSE = "audit erasure"


def erasure_of(entry: AuditEntry) -> Erasure | None:
    """What the entry keeps of erased texts; None where none was erased."""
    if entry.erased is None:
        return None
    return Erasure(salts=entry.erased["salts"], digests=entry.erased["digests"])


def voucher(organization_id: UUID | None, hashes: Mapping[int, str]) -> dict[str, Any]:
    """What an entry about erased texts says of this chain. Raises `SealError` without a key."""
    renewed = {str(sequence): known for sequence, known in hashes.items()}
    key_id = newest_key_id()
    return {"renewed": renewed, "key_id": key_id, "mac": _code(organization_id, renewed, key_id)}


def vouched_by(entry: AuditEntry) -> Mapping[int, str] | None:
    """The hashes that this entry vouches for; None for any other entry, and for a voucher that is not ours."""
    if entry.event != TEXTS_ERASED.name:
        return None
    said = entry.after
    try:
        if said["mac"] != _code(entry.organization_id, said["renewed"], said["key_id"]):
            return None
        return {int(sequence): known for sequence, known in said["renewed"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, SealError, NotCanonicalError):
        return None


def keys_of_vouchers() -> set[str]:
    """The ids of the keys with which vouchers are signed: they are needed for as long as the log is verified."""
    vouchers = AuditEntry.objects.filter(event=TEXTS_ERASED.name).order_by()
    return {key for key in vouchers.values_list("after__key_id", flat=True).distinct() if isinstance(key, str)}


def _code(organization_id: UUID | None, renewed: Mapping[str, str], key_id: str) -> str:
    signed = canonical_bytes({"organization_id": organization_id, "renewed": renewed})
    return authentication_code(signed, purpose=_PURPOSE, key_id=key_id)
