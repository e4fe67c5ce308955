"""POST membership-snapshots and GET membership-snapshots/{id}: a product pushes all its members (spec 09)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.wire.schema import Example, documented
from apps.tenants.api import examples
from apps.tenants.api.base import ProductView
from apps.tenants.api.snapshot_bodies import SnapshotAnswer, SnapshotBody
from apps.tenants.reconciliation_rules import ReportedRow
from apps.tenants.services import snapshot_chunk_store, snapshot_of

# 5,000 members, written in full.
_BODY_LIMIT = 2 * 1024 * 1024


class SnapshotsView(ProductView):
    """Push one chunk of a snapshot. The same chunk again is answered the same."""

    operations: ClassVar[dict[str, str]] = {"POST": "membership_snapshots.push"}
    body_limit = _BODY_LIMIT

    @documented(
        operation="membership_snapshots.push",
        operation_id="membership_snapshots_push",
        request=SnapshotBody,
        responses={202: SnapshotAnswer},
        statuses=(409,),
        examples=(Example("chunk", request=examples.SNAPSHOT, answer=examples.SNAPSHOT_ANSWER),),
    )
    def post(self, request: Request) -> Response:
        body = self.read(SnapshotBody, request)
        context = self.context_for(request)
        members = [
            ReportedRow(row["organization_id"], row["user_id"], row["role"], row.get("changed_at"))
            for row in body["members"]
        ]
        snapshot_chunk_store(
            context,
            snapshot_id=body["snapshot_id"],
            sequence=body["sequence"],
            is_last=body["last"],
            members=members,
        )
        return Response(_answer(self, request, body["snapshot_id"]), status=202)


class SnapshotView(ProductView):
    """What became of a snapshot."""

    operations: ClassVar[dict[str, str]] = {"GET": "membership_snapshots.push"}

    @documented(
        operation="membership_snapshots.push",
        operation_id="membership_snapshots_read",
        responses={200: SnapshotAnswer},
        statuses=(404,),
        examples=(Example("snapshot", answer=examples.SNAPSHOT_ANSWER),),
    )
    def get(self, request: Request, snapshot_id: UUID) -> Response:
        """Read how far a snapshot is: which chunks are missing, and what its run does."""
        return Response(_answer(self, request, snapshot_id))


def _answer(view: ProductView, request: Request, snapshot_id: UUID) -> object:
    run, missing = snapshot_of(view.context_for(request), snapshot_id=snapshot_id)
    return SnapshotAnswer(
        {
            "snapshot_id": snapshot_id,
            "status": run.status,
            "received": run.received,
            "missing": missing,
            "run_id": run.pk,
            "stop_reason": run.stop_reason,
            "counts": run.counts,
        }
    ).data
