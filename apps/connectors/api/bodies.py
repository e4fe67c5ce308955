"""The bodies of the connectors API. A key goes in and never comes out (spec 06, Credentials; spec 09)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from apps.connectors.contracts import MONTH_PATTERN, Month
from apps.connectors.enums import (
    AutoDisableReason,
    ConnectorEventKind,
    ConnectorStatus,
    CredentialKind,
    SyncStatus,
    SyncTrigger,
)
from apps.connectors.messages import describe_actor
from apps.connectors.models import Connector, ConnectorEvent, MonthState, SyncRun
from apps.connectors.selectors.connectors import first_month
from apps.connectors.sync.requests import RequestedRun
from apps.core.wire.fields import StrictCharField, StrictChoiceField, StrictIntegerField, StrictUUIDField
from apps.core.wire.serializers import AnswerSerializer, StrictSerializer
from apps.core.wire.values import StrictObjectField, StrictTimeField

_LONGEST_KEY = 4_096


AUTO = "auto"


class MonthField(StrictCharField):
    """A month; any other text is an impossible value."""

    impossible_codes = StrictCharField.impossible_codes | {"impossible_value"}
    default_error_messages: ClassVar[dict[str, Any]] = {"impossible_value": "must be a month such as `2026-04`."}
    pattern: ClassVar[str] = MONTH_PATTERN

    def to_internal_value(self, data: Any) -> Any:
        """The month."""
        try:
            return Month.read(super().to_internal_value(data))
        except ValueError:
            self.fail("impossible_value")

    def wire_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({self.pattern})$"}


class MonthOrAutoField(MonthField):
    """A month, or `auto`, which is None."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "impossible_value": "must be `auto`, or a month such as `2026-04`.",
    }
    pattern: ClassVar[str] = f"{AUTO}|{MONTH_PATTERN}"

    def to_internal_value(self, data: Any) -> Any:
        return None if data == AUTO else super().to_internal_value(data)


class ConnectorBody(StrictSerializer):
    provider = StrictCharField(most=40, help_text="`stripe`, `orb`, `google_cloud`, `google_sheets`, `usage_feed`, …")
    name = StrictCharField(most=200)
    settings = StrictObjectField(required=False, help_text="What the provider asks for; never a secret.")
    api_key = StrictCharField(
        most=_LONGEST_KEY,
        required=False,
        allow_null=True,
        help_text="Tried at the provider before it is stored. Without it the connector is `pending`.",
    )
    first_month = MonthField(
        required=False,
        help_text="The first month to read, up to 60 months back. Left out: 13 months before the current one.",
    )


class ConnectorChangesBody(StrictSerializer):
    name = StrictCharField(most=200, required=False)
    settings = StrictObjectField(
        required=False, help_text="All settings: one that is left out has its default. Tried with the key first."
    )
    api_key = StrictCharField(
        most=_LONGEST_KEY, required=False, help_text="Needed again where the address leads to another host."
    )
    first_month = MonthField(
        required=False, help_text="An earlier one is read at once; of those before a later one the records stay."
    )


class ReasonBody(StrictSerializer):
    reason = StrictCharField(most=1_000)


class CredentialBody(StrictSerializer):
    api_key = StrictCharField(most=_LONGEST_KEY, help_text="Tried at the provider before it is stored.")


class CredentialAnswer(AnswerSerializer):
    kind = StrictChoiceField(CredentialKind)
    last_four = StrictCharField(help_text="The last four characters of a key; empty for other kinds.")
    stored_at = StrictTimeField()


class ConnectorAnswer(AnswerSerializer):
    id = StrictUUIDField()
    workspace_id = StrictUUIDField()
    provider = StrictCharField()
    name = StrictCharField()
    settings = StrictObjectField()
    status = StrictChoiceField(ConnectorStatus)
    auto_disable_reason = StrictChoiceField(AutoDisableReason, allow_null=True)
    credential = CredentialAnswer(allow_null=True)
    last_success_at = StrictTimeField(allow_null=True)
    next_due_at = StrictTimeField(allow_null=True)
    first_month = StrictCharField(help_text="The first month that it reads.")
    created_at = StrictTimeField()
    version = StrictIntegerField()


class WaitingMonthAnswer(AnswerSerializer):
    month = StrictCharField()
    records_before = StrictIntegerField()
    records_after = StrictIntegerField()
    asked_at = StrictTimeField()


class TimelineEventAnswer(AnswerSerializer):
    occurred_at = StrictTimeField()
    kind = StrictChoiceField(ConnectorEventKind)
    sentence = StrictCharField()
    actor = StrictCharField()


class ConnectorDetailAnswer(ConnectorAnswer):
    months_waiting = WaitingMonthAnswer(
        many=True, help_text="Months that would lose most of their records, until `:confirm` or `:reject`."
    )
    timeline = TimelineEventAnswer(many=True, help_text="The latest events, newest first.")


class ConnectorPage(AnswerSerializer):
    items = ConnectorAnswer(many=True)
    next_cursor = StrictCharField(allow_null=True)


def connector_values(connector: Connector) -> dict[str, Any]:
    """A connector as the answers have it."""
    credential = getattr(connector, "credential", None)
    return {
        "id": connector.pk,
        "workspace_id": connector.workspace_id,
        "provider": connector.provider,
        "name": connector.name,
        "settings": connector.settings,
        "status": connector.status,
        "auto_disable_reason": connector.auto_disable_reason or None,
        "credential": credential
        and {"kind": credential.kind, "last_four": credential.last_four, "stored_at": credential.stored_at},
        "last_success_at": connector.last_success_at,
        "next_due_at": connector.next_due_at,
        "first_month": str(first_month(connector)),
        "created_at": connector.created_at,
        "version": connector.version,
    }


def waiting_values(state: MonthState) -> dict[str, Any]:
    """A month about which a person is asked, as the answers have it."""
    return {
        "month": state.month,
        "records_before": state.shrink_from,
        "records_after": state.shrink_to,
        "asked_at": state.shrink_asked_at,
    }


def event_values(event: ConnectorEvent, people: Mapping[str, str]) -> dict[str, Any]:
    """A timeline event as the answers have it; of people, members of the organization alone are named."""
    return {
        "occurred_at": event.occurred_at,
        "kind": event.kind,
        "sentence": event.sentence,
        "actor": describe_actor(event.actor_label, people),
    }


class SyncBody(StrictSerializer):
    month = MonthOrAutoField(
        help_text="`auto`: every month that is due. `2026-04`: that month, which reopens a final one."
    )


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


def queued_values(requested: Sequence[RequestedRun]) -> dict[str, Any]:
    """The runs that were asked for, as the answer has them."""
    return {"runs": [_queued(item.run) for item in requested]}


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
