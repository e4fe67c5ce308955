"""Re-encrypts every credential under the newest key, while the system runs (spec 06, Credentials; spec 11, P8).

Each row is read, sealed anew, and written only while it is still the revision that was read: a credential that somebody
replaced meanwhile is left alone, and is under the newest key already or is found by the next pass. Nothing is held
between batches, so that it can be killed at any point and started again; repeating it finds nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.connectors import events
from apps.connectors.enums import CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import ConnectorCredential
from apps.connectors.services.credentials import reseal
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.crypto import SealError, newest_key_id
from apps.core.failpoints import failpoint
from apps.core.ids import AuditTarget
from apps.core.operations import require
from apps.tenants.export_keys import export_keys_reseal

OPERATION = "credentials.rotate"
BATCH = 200
_SWAP = """
    UPDATE connectors_connectorcredential AS stored
    SET ciphertext = fresh.ciphertext, key_id = %s, revision = stored.revision + 1
    FROM unnest(%s::uuid[], %s::int[], %s::bytea[]) AS fresh (id, revision, ciphertext)
    WHERE stored.id = fresh.id AND stored.revision = fresh.revision
"""


@dataclass(frozen=True, slots=True)
class RotationReport:
    """What one run did. `unreadable` are the connectors, and products, whose credential no configured key opens."""

    key_id: str
    resealed: int
    overtaken: int
    unreadable: tuple[UUID, ...]


@dataclass(slots=True)
class _Tally:
    resealed: int = 0
    overtaken: int = 0


def credential_keys_rotate(context: ExecutionContext, *, batch: int = BATCH) -> RotationReport:
    """Bring every credential under the newest key. Passes are repeated until one finds nothing that it can change.

    Raises `SealError` without a key, `ForbiddenError`.
    """
    require(context, OPERATION)
    key_id = newest_key_id()
    tally, unreadable = _Tally(), set[UUID]()
    while _rotate_once(key_id, batch, tally, unreadable):
        pass
    # The keys of products' membership exports are few, and sealed alike.
    resealed, unreadable_products = export_keys_reseal()
    tally.resealed += resealed
    unreadable |= set(unreadable_products)
    _audit(context, key_id, tally, unreadable)
    return RotationReport(key_id, tally.resealed, tally.overtaken, tuple(sorted(unreadable)))


def _rotate_once(key_id: str, batch: int, tally: _Tally, unreadable: set[UUID]) -> bool:
    """Go once through what is left; whether there was anything to do."""
    last, found = UUID(int=0), False
    while rows := _next_batch(key_id, last, batch, unreadable):
        last, found = rows[-1]["pk"], True
        _swap(key_id, rows, tally, unreadable)
        failpoint("credentials.after_swap")
    return found


def _next_batch(key_id: str, last: UUID, batch: int, unreadable: set[UUID]) -> list[dict[str, Any]]:
    rows = ConnectorCredential.objects.exclude(key_id=key_id).exclude(connector__in=unreadable).filter(pk__gt=last)
    columns = rows.order_by("pk").values("pk", "connector_id", "kind", "ciphertext", "revision")
    return [dict(row) for row in columns[:batch]]


def _swap(key_id: str, rows: list[dict[str, Any]], tally: _Tally, unreadable: set[UUID]) -> None:
    fresh: list[tuple[UUID, int, bytes]] = []
    for row in rows:
        try:
            sealed = reseal(ConnectorId(row["connector_id"]), CredentialKind(row["kind"]), bytes(row["ciphertext"]))
        except SealError:
            unreadable.add(row["connector_id"])
        else:
            fresh.append((row["pk"], row["revision"], sealed))
    if not fresh:
        return
    ids, revisions, ciphertexts = (list(column) for column in zip(*fresh, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_SWAP, [key_id, ids, revisions, ciphertexts])
        swapped = cursor.rowcount
    tally.resealed += swapped
    tally.overtaken += len(fresh) - swapped


@transaction.atomic
def _audit(context: ExecutionContext, key_id: str, tally: _Tally, unreadable: set[UUID]) -> None:
    if not tally.resealed and not unreadable:
        return
    audit_append(
        context,
        events.CREDENTIALS_ROTATED,
        AuditTarget("credentials", "all"),
        after={"key_id": key_id, "resealed": tally.resealed, "unreadable": sorted(map(str, unreadable))},
    )
