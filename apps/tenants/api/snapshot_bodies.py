"""The bodies of membership snapshots (spec 09, Provisioning)."""

from __future__ import annotations

from typing import Any

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.wire.fields import (
    StrictBooleanField,
    StrictChoiceField,
    StrictIntegerField,
    StrictUUIDField,
)
from apps.core.wire.serializers import (
    AnswerSerializer,
    StrictListField,
    StrictListSerializer,
    StrictSerializer,
    impossible,
)
from apps.core.wire.values import StrictObjectField, StrictTimeField
from apps.tenants.enums import ReconciliationStatus, StopReason
from apps.tenants.memberships import AHEAD_AT_MOST

MEMBERS_A_CHUNK, CHUNKS_AT_MOST = 5_000, 10_000


class SnapshotMember(StrictSerializer):
    organization_id = StrictUUIDField()
    user_id = StrictUUIDField()
    role = StrictChoiceField(MembershipRole)
    changed_at = StrictTimeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        moment = attrs.get("changed_at")
        if moment is not None and moment > clock.now() + AHEAD_AT_MOST:
            sentence = "lies more than 5 minutes ahead of our clock. Check the sender's clock, or leave it out."
            raise impossible("changed_at", "in_the_future", sentence)
        return attrs


class SnapshotBody(StrictSerializer):
    snapshot_id = StrictUUIDField(help_text="Yours; the same for all chunks of one snapshot.")
    sequence = StrictIntegerField(least=1, most=CHUNKS_AT_MOST, help_text="The chunk's number, from 1.")
    last = StrictBooleanField(help_text="Whether it is the one with the highest number.")
    members = StrictListSerializer(child=SnapshotMember(), max_length=MEMBERS_A_CHUNK)


class SnapshotAnswer(AnswerSerializer):
    snapshot_id = StrictUUIDField()
    status = StrictChoiceField(ReconciliationStatus)
    received = StrictIntegerField(least=0, most=2**31 - 1, help_text="Members so far.")
    missing = StrictListField(
        StrictIntegerField(least=1, most=CHUNKS_AT_MOST),
        help_text="Chunks that are missing before the highest one that came.",
    )
    run_id = StrictUUIDField()
    stop_reason = StrictChoiceField(["", *StopReason.values], help_text="Why the run waits for a person, if it does.")
    counts = StrictObjectField(help_text="By class of drift, with `members`, `agreed` and `imported`.")
