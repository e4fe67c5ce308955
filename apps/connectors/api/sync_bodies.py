"""The bodies of the sync endpoints (spec 09, Connectors)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from apps.connectors.contracts import MONTH_PATTERN, Month
from apps.connectors.enums import SyncStatus, SyncTrigger
from apps.connectors.models import SyncRun
from apps.connectors.sync.requests import SyncAnswer
from apps.core.wire.fields import StrictCharField, StrictChoiceField, StrictIntegerField, StrictUUIDField
from apps.core.wire.serializers import AnswerSerializer, StrictSerializer
from apps.core.wire.values import StrictTimeField

AUTO = "auto"


class MonthField(StrictCharField):
    """`auto`, or a month; any other text is an impossible value."""

    impossible_codes = StrictCharField.impossible_codes | {"impossible_value"}
    default_error_messages: ClassVar[dict[str, Any]] = {
        "impossible_value": "must be `auto`, or a month such as `2026-04`.",
    }

    def to_internal_value(self, data: Any) -> Any:
        """The month; None for `auto`."""
        text = super().to_internal_value(data)
        try:
            return None if text == AUTO else Month.read(text)
        except ValueError:
            self.fail("impossible_value")

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({AUTO}|{MONTH_PATTERN})$"}


class SyncBody(StrictSerializer):
    month = MonthField(help_text="`auto`: every month that is due. `2026-04`: that month, which reopens a final one.")


class QueuedRunAnswer(AnswerSerializer):
    id = StrictUUIDField()
    month = StrictCharField()
    reason = StrictCharField(help_text="Why the month was chosen.")
    status = StrictChoiceField(SyncStatus)


class SyncAnswerBody(AnswerSerializer):
    runs = QueuedRunAnswer(many=True, help_text="Oldest month first. A month that is being synced keeps its run.")


class SyncCountsAnswer(AnswerSerializer):
    fetched = StrictIntegerField()
    created = StrictIntegerField()
    updated = StrictIntegerField()
    unchanged = StrictIntegerField()
    voided = StrictIntegerField()


class SyncRunAnswer(QueuedRunAnswer):
    connector_id = StrictUUIDField()
    trigger = StrictChoiceField(SyncTrigger)
    pages = StrictIntegerField(help_text="Pages written so far.")
    counts = SyncCountsAnswer()
    error_code = StrictCharField(allow_null=True)
    error = StrictCharField(allow_null=True, help_text="What went wrong, for people; also while it is tried again.")
    created_at = StrictTimeField()
    started_at = StrictTimeField(allow_null=True)
    finished_at = StrictTimeField(allow_null=True)


def queued_values(answers: Sequence[SyncAnswer]) -> dict[str, Any]:
    """The runs that were asked for, as the answer has them."""
    return {"runs": [_queued(answer.run) for answer in answers]}


def sync_run_values(run: SyncRun) -> dict[str, Any]:
    """A run as the answers have it."""
    return {
        **_queued(run),
        "connector_id": run.connector_id,
        "trigger": run.trigger,
        "pages": run.pages,
        "counts": {name: getattr(run, name) for name in ("fetched", "created", "updated", "unchanged", "voided")},
        "error_code": run.error_code or None,
        "error": run.error or None,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def _queued(run: SyncRun) -> dict[str, Any]:
    return {"id": run.pk, "month": run.month, "reason": run.reason, "status": run.status}
