"""Snapshots: a product pushes all its members in chunks (spec 09, Provisioning).

Chunks come in any order, and again. The snapshot's run is locked while one is stored, so that of two with one number
one is stored, and whichever completes the snapshot queues its run.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, Reason
from apps.core.ids import ProductId
from apps.core.operations import require
from apps.core.wakeups import wake_after_commit
from apps.tenants.enums import ReconciliationStage, ReconciliationStatus, ReportSource
from apps.tenants.models import ReconciliationRun, ReportedMember, SnapshotChunk
from apps.tenants.reconciliation_rules import ReportedRow
from apps.tenants.services.reconciliation import QUEUE_LEASE, RUN_TASK

PUSH_OPERATION = "membership_snapshots.push"
# A snapshot that is not complete by then is aborted, and changes nothing.
COMPLETE_WITHIN = timedelta(hours=24)


@transaction.atomic
def snapshot_chunk_store(
    context: ExecutionContext, *, snapshot_id: UUID, sequence: int, is_last: bool, members: Sequence[ReportedRow]
) -> ReconciliationRun:
    """Store one chunk; the same one again changes nothing, and the last one that was missing queues the run.

    Raises `ForbiddenError`; `ConflictError` `snapshot_chunk_differs` for another chunk of that number,
    `snapshot_sequence_conflict` for a second last one or one behind the last, `snapshot_closed` for a new chunk of a
    snapshot that is complete or aborted.
    """
    require(context, PUSH_OPERATION)
    run = _snapshot_for_update(context, snapshot_id)
    digest = _digest(is_last, members)
    stored = SnapshotChunk.objects.filter(run=run, sequence=sequence).first()
    if stored is not None:
        if bytes(stored.digest) != digest:
            raise ConflictError(
                f"Chunk {sequence} of this snapshot was sent before with other members. Begin a new snapshot.",
                code="snapshot_chunk_differs",
                title="Another chunk with this number",
            )
        return run
    _guard_open(run)
    _guard_sequence(run, sequence, is_last=is_last)
    _store(run, sequence, members, digest, is_last=is_last)
    if _is_complete(run):
        run.status, run.total = ReconciliationStatus.QUEUED, run.received
        run.lease_expires_at = clock.real_now() + QUEUE_LEASE
        wake_after_commit(RUN_TASK, str(run.pk))
    run.save(update_fields=["status", "received", "pages", "total", "lease_expires_at"])
    return run


def snapshot_of(context: ExecutionContext, *, snapshot_id: UUID) -> tuple[ReconciliationRun, list[int]]:
    """The product's own snapshot and the numbers of the chunks that are missing; at most 1,000 of them.

    As long as the last one is missing, nobody knows how many follow. Raises `ForbiddenError`, `NotFoundError`
    `unknown_snapshot`.
    """
    require(context, PUSH_OPERATION)
    run = ReconciliationRun.objects.filter(product=_product_id(context), snapshot_id=snapshot_id).first()
    if run is None:
        raise NotFoundError(
            f"There is no snapshot {snapshot_id} of this product.", code="unknown_snapshot", title="Unknown snapshot"
        )
    received = set(SnapshotChunk.objects.filter(run=run).values_list("sequence", flat=True))
    is_open = run.status == ReconciliationStatus.RECEIVING
    missing = [number for number in range(1, max(received, default=0)) if number not in received] if is_open else []
    return run, missing[:1_000]


def snapshots_abort_stale() -> int:
    """Abort the snapshots that were not complete within a day; returns how many."""
    now = clock.now()
    stale = ReconciliationRun.objects.filter(
        status=ReconciliationStatus.RECEIVING, is_staged=True, created_at__lte=now - COMPLETE_WITHIN
    )
    return stale.update(
        status=ReconciliationStatus.ABORTED, finished_at=now, error="Chunks were still missing after 24 hours."
    )


def _snapshot_for_update(context: ExecutionContext, snapshot_id: UUID) -> ReconciliationRun:
    product_id = _product_id(context)
    now = clock.now()
    fresh = ReconciliationRun(
        id=uuid.uuid4(),
        product_id=product_id,
        source=ReportSource.SNAPSHOT,
        snapshot_id=snapshot_id,
        status=ReconciliationStatus.RECEIVING,
        stage=ReconciliationStage.JUDGE,
        requested_by=context.actor.label,
        created_at=now,
    )
    # Of several first chunks at once one makes it; the others wait here and find it.
    ReconciliationRun.objects.bulk_create([fresh], ignore_conflicts=True)
    runs = ReconciliationRun.objects.select_for_update(no_key=True)
    return runs.get(product=product_id, snapshot_id=snapshot_id)


def _product_id(context: ExecutionContext) -> ProductId:
    if context.product_id is None:
        reason = Reason("product", "deny", f"{context.actor.label} is no product")
        raise ForbiddenError("Only a product pushes its members.", explanation=[reason])
    return context.product_id


def _guard_open(run: ReconciliationRun) -> None:
    if run.status != ReconciliationStatus.RECEIVING or run.created_at <= clock.now() - COMPLETE_WITHIN:
        raise ConflictError(
            "This snapshot is complete or aborted, and takes no more chunks. Begin a new one with another snapshot_id.",
            code="snapshot_closed",
            title="The snapshot takes no more chunks",
        )


def _guard_sequence(run: ReconciliationRun, sequence: int, *, is_last: bool) -> None:
    chunks = SnapshotChunk.objects.filter(run=run)
    last = chunks.filter(is_last=True).values_list("sequence", flat=True).first()
    highest = chunks.aggregate(highest=Max("sequence"))["highest"] or 0
    if last is not None and (is_last or sequence > last):
        raise _misnumbered(f"Chunk {last} was the last one, so that chunk {sequence} can't be or follow it.")
    if is_last and highest > sequence:
        raise _misnumbered(f"Chunk {sequence} can't be the last one: chunk {highest} was sent.")


def _misnumbered(sentence: str) -> ConflictError:
    return ConflictError(
        f"{sentence} Begin a new snapshot.",
        code="snapshot_sequence_conflict",
        title="The chunk does not fit the others",
    )


def _store(
    run: ReconciliationRun, sequence: int, members: Sequence[ReportedRow], digest: bytes, *, is_last: bool
) -> None:
    SnapshotChunk.objects.create(
        run=run,
        sequence=sequence,
        digest=digest,
        members=len(members),
        is_last=is_last,
        received_at=clock.now(),
    )
    members_store(run, members)
    run.received += len(members)
    run.pages += 1


def members_store(run: ReconciliationRun, members: Sequence[ReportedRow]) -> None:
    """Keep the rows of a report until its run is over."""
    rows = [
        ReportedMember(
            run=run,
            organization_id=row.organization_id,
            user_id=row.user_id,
            role=row.role,
            changed_at=row.changed_at,
            email=row.email,
        )
        for row in members
    ]
    ReportedMember.objects.bulk_create(rows, batch_size=2_000)


def _is_complete(run: ReconciliationRun) -> bool:
    last = SnapshotChunk.objects.filter(run=run, is_last=True).values_list("sequence", flat=True).first()
    return last is not None and last == run.pages


def _digest(is_last: bool, members: Sequence[ReportedRow]) -> bytes:
    digest = hashlib.sha256(b"last" if is_last else b"more")
    for row in members:
        digest.update(f"{row.organization_id}{row.user_id}{row.role.value} {_text(row.changed_at)};".encode())
    return digest.digest()


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else ""
